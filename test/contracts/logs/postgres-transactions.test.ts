/** Publishing within a transaction of the application, on PGlite. */
import type { Transaction } from "@electric-sql/pglite";
import { describe, expect, test, vi } from "vitest";
import { createHub } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { postgresLog } from "../../../src/logs/postgres/index.ts";
import { follow, openHub } from "../../support/hub.ts";
import { newSchema, pglite } from "../../support/pglite.ts";

async function setUp(schema = newSchema()) {
  const database = await pglite();
  const log = postgresLog({ pool: database, schema });
  const { hub } = openHub({ log });
  await log.head();
  const entries = async () => (await log.read(0, { limit: 100, maxBytes: 1e6, conflate: false })).entries;
  const data = async () => (await entries()).map((entry) => entry.data);
  const outbox = async (transaction: Pick<Transaction, "query"> = database) => {
    const { rows } = await transaction.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM "${schema}".outbox`,
    );
    return rows[0]?.count;
  };
  return { database, hub, log, news: hub.channel("news"), entries, data, outbox };
}

test("events appear after the commit, in the order of their dispatches, and resolve with undefined", async () => {
  const { database, news, data, outbox } = await setUp();
  await database.transaction(async (transaction) => {
    expect(await news.dispatch("a", "1", { transaction })).toBeUndefined();
    expect(
      await news.dispatchAll(
        [
          { type: "a", data: "2" },
          { type: "a", data: "3" },
        ],
        { transaction },
      ),
    ).toBeUndefined();
    await news.dispatch("a", "4", { transaction });
    expect(await outbox(transaction)).toBe(3);
  });
  await vi.waitFor(async () => expect(await data()).toEqual(["1", "2", "3", "4"]));
  expect(await outbox()).toBe(0);
});

test("a rollback leaves no trace", async () => {
  const { database, news, data, outbox, log } = await setUp();
  const failing = database.transaction(async (transaction) => {
    await news.dispatch("a", "lost", { transaction, idempotencyKey: "k", key: "x" });
    throw new Error("the application's own");
  });
  await expect(failing).rejects.toThrow("the application's own");
  expect(await outbox()).toBe(0);
  await news.dispatch("a", "first", { idempotencyKey: "k" });
  expect(await data()).toEqual(["first"]);
  expect((await log.head()).top).toBe(1);
});

test("a savepoint that is rolled back takes its events with it", async () => {
  const { database, news, data } = await setUp();
  await database.transaction(async (transaction) => {
    await news.dispatch("a", "1", { transaction });
    await transaction.exec("SAVEPOINT s");
    await news.dispatch("a", "2", { transaction });
    await transaction.exec("ROLLBACK TO SAVEPOINT s");
    await news.dispatch("a", "3", { transaction });
  });
  await vi.waitFor(async () => expect(await data()).toEqual(["1", "3"]));
});

test("keys, senders and idempotency keys count as for other events", async () => {
  const { database, hub, news, entries, log } = await setUp();
  await news.dispatch("a", "first", { key: "x", idempotencyKey: "once" });
  await database.transaction(async (transaction) => {
    await news.dispatch("a", "again", { transaction, idempotencyKey: "once" });
    await news.dispatch("a", "newer", { transaction, key: "x", sender: "me" });
    await hub.channel("other").dispatch("b", "plain", { transaction });
  });
  await vi.waitFor(async () => expect(await entries()).toHaveLength(3));
  expect((await entries()).map(({ data, key, sender }) => [data, key, sender])).toEqual([
    ["first", "x", undefined],
    ["newer", "x", "me"],
    ["plain", undefined, undefined],
  ]);
  const values = await log.latestByKey({ channels: ["news"], prefixes: [] }, { after: 0, upTo: 9, maxBytes: 1e6 });
  expect(values.entries.map(({ data }) => data)).toEqual(["newer"]);
});

test("entries of one call are next to each other, and each has its predecessor's witness", async () => {
  const { database, news, entries } = await setUp();
  const batch = Array.from({ length: 40 }, (_, i) => ({ type: "a", data: `${i}` }));
  await database.transaction((transaction) => news.dispatchAll(batch, { transaction }));
  await vi.waitFor(async () => expect(await entries()).toHaveLength(40));
  const found = await entries();
  expect(found.map(({ data }) => data)).toEqual(batch.map(({ data }) => data));
  for (const [i, { previousWitness }] of found.entries())
    if (i > 0) expect(previousWitness).toBe(found[i - 1]?.witness);
});

test("clients receive them", async () => {
  const { database, hub, news } = await setUp();
  const client = await follow(hub, "news");
  await database.transaction((transaction) => news.dispatch("a", "1", { transaction }));
  await client.until(() => client.data.length === 1);
  expect(client.data).toEqual(["1"]);
});

test("another process moves what one has left behind, which had published before it was connected", async () => {
  const schema = newSchema();
  const { database, hub, data } = await setUp(schema);
  const first = createHub({ log: postgresLog({ pool: database, schema }) });
  // It ends before the commit, so it never sees it. PGlite has one connection, which the transaction holds.
  const { closing } = await database.transaction(async (transaction) => {
    await first.channel("news").dispatch("a", "1", { transaction });
    return { closing: first.close() };
  });
  await closing;
  expect(await data()).toEqual([]);
  await follow(hub, "news");
  await vi.waitFor(async () => expect(await data()).toEqual(["1"]), { timeout: 5_000 });
});

describe("is rejected", () => {
  test("with after, without an open transaction, or with something else", async () => {
    const { database, news, data } = await setUp();
    const after = await news.dispatch("a", "1");
    await database.transaction(async (transaction) => {
      // @ts-expect-error: `after` does not go with a transaction
      await expect(news.dispatch("a", "2", { transaction, after })).rejects.toThrow(
        /option after is ".+"; it takes no value together with the option transaction/,
      );
      await expect(news.dispatchAll([{ type: "a", after }], { transaction })).rejects.toThrow(/option after is/);
    });
    await expect(news.dispatch("a", "2", { transaction: database })).rejects.toThrow(
      /option transaction is a pool or a database, and nothing was published; pass the client on which the transaction was begun/,
    );
    await expect(news.dispatch("a", "2", { transaction: {} })).rejects.toThrow(/option transaction is/);
    for (const transaction of [undefined, null, 7]) {
      await expect(news.dispatch("a", "2", { transaction } as never)).rejects.toThrow(
        expect.objectContaining({ code: "ERR_SSE_OPTION", message: expect.stringContaining("option transaction is") }),
      );
    }
    expect(await data()).toEqual(["1"]);
  });

  test("by a log without transactions", async () => {
    const { hub } = openHub({ log: memoryLog() });
    await expect(hub.channel("news").dispatch("a", "1", { transaction: {} })).rejects.toThrow(
      /log of this hub takes no part in transactions; use postgresLog\(\)/,
    );
  });

  test("for an event that could not be written on the wire, or is too large", async () => {
    const { database, news, outbox } = await setUp();
    await database.transaction(async (transaction) => {
      await expect(news.dispatch("a\nb", "1", { transaction })).rejects.toThrow(/ERR_SSE_TYPE|type/);
      await expect(news.dispatch("a", "x".repeat(2_000_000), { transaction })).rejects.toThrow(/eventSize/);
    });
    expect(await outbox()).toBe(0);
  });
});
