/** A log through PgBouncer in transaction mode, where neither prepared statements nor LISTEN belong to a client. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { entry, range } from "../../src/testing/log/ask.ts";
import { joined, openHub } from "../support/hub.ts";
import { startPgBouncer } from "../support/stores/pgbouncer.ts";
import { type PostgresBench, postgresBench } from "../support/stores/postgres-bench.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

let bench: PostgresBench;
let pooler: StoreServer;

beforeAll(async () => {
  bench = await postgresBench();
  pooler = await startPgBouncer(bench.server.port, 2);
});
afterAll(async () => {
  await bench.closeClients();
  await pooler[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
});

test.each(["pg", "postgres.js"] as const)("processes that share connections with %s", async (client) => {
  const schema = bench.newSchema();
  const open = () => bench.open({ pool: bench.connect(client, pooler.port), schema, poll: "20ms" });
  const [one, two] = [openHub({ log: open() }), openHub({ log: open() })];
  const reader = await joined(two.hub, "a");
  const expected: string[] = [];
  // One after the other and several at a time, so that both ways to append meet connections that do not know them.
  for (const i of range(1, 30)) {
    const data = [`${i}`, ...(i % 3 === 0 ? [`${i} more`] : [])];
    for (const { hub } of i % 2 === 0 ? [one] : [two]) {
      await Promise.all(data.map((text) => hub.channel("a").dispatch("n", text)));
    }
    expected.push(...data);
  }
  await vi.waitFor(() => expect(reader.data).toEqual(expected), { timeout: 10_000 });
  expect([reader.control("gap"), reader.control("reset")]).toEqual([[], []]);
});

test("appends at the same time of eight processes with two connections: each is stored once", async () => {
  const schema = bench.newSchema();
  const logs = range(1, 8).map(() => bench.open({ pool: bench.pool(pooler.port), schema, listen: false }));
  const append = (log: (typeof logs)[number]) => Promise.all(range(1, 10).map((i) => log.append([entry("a", `${i}`)])));
  const placed = (await Promise.all(logs.map(append))).flat(2);
  expect(placed.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual(range(1, 80));
});

test("a publish within a transaction", async () => {
  const [schema, pool] = [bench.newSchema(), bench.pool(pooler.port)];
  const { hub } = openHub({ log: bench.open({ pool, schema, poll: "20ms" }) });
  const reader = await joined(hub, "a");
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await hub.channel("a").dispatch("n", "1", { transaction: client });
    await client.query("COMMIT");
  } finally {
    client.release();
  }
  await vi.waitFor(() => expect(reader.data).toEqual(["1"]), { timeout: 10_000 });
});
