/** Appends whose answers are lost, or that arrive late: each is stored once, or its outcome is unknown. */
import type pg from "pg";
import type { QueryConfig } from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { PgStatement } from "../../src/logs/postgres/connection.ts";
import type { PostgresLogOptions } from "../../src/logs/postgres/index.ts";
import { entry, range, read } from "../../src/testing/log/ask.ts";
import { type PostgresBench, postgresBench } from "../support/stores/postgres-bench.ts";

let bench: PostgresBench;

beforeAll(async () => {
  bench = await postgresBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** The end of an append that a pool sends. */
type Fate = "arrives" | "answer lost" | "held up";

/** A pool on whose connections appends get no answer, as when a network fails. Those that are held up can be sent later. */
class UnreliablePool {
  /** Of all appends from now on. */
  fate: Fate = "arrives";
  /** Of the next append, before all others. */
  #next: { readonly fate: Fate; readonly onMet: () => void } | null = null;
  /** Further appends wait for it. */
  #resumed: Promise<void> = Promise.resolve();
  readonly held: PgStatement[] = [];
  /** The functions that were called. */
  readonly called: string[] = [];
  readonly pool: pg.Pool = bench.pool();
  readonly #known = new WeakSet<object>();

  constructor() {
    const connect = this.pool.connect.bind(this.pool) as () => Promise<{ query: (...args: never[]) => unknown }>;
    this.pool.connect = (async () => {
      const client = await connect();
      if (this.#known.has(client)) return client;
      this.#known.add(client);
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
      client.query = ((...args: [PgStatement]) => this.#send(args[0], () => query(...args))) as never;
      return client;
    }) as never;
  }

  /** The next append meets this fate. The ones after it wait until the returned function is called. */
  async meets(fate: Fate): Promise<() => void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resumed = promise;
    await new Promise<void>((onMet) => {
      this.#next = { fate, onMet };
    });
    return resolve;
  }

  async #send(statement: PgStatement, send: () => Promise<unknown>): Promise<unknown> {
    const name = /\.(append\w*)/.exec(statement.text)?.[1];
    if (name === undefined) return send();
    this.called.push(name);
    const next = this.#next;
    this.#next = null;
    if (next === null) await this.#resumed;
    try {
      const fate = next?.fate ?? this.fate;
      if (fate === "arrives") return await send();
      if (fate === "held up") this.held.push(statement);
      else await send();
      throw new Error("the connection was reset");
    } finally {
      next?.onMet();
    }
  }

  /** As from a connection on which they were held up. */
  async arriveLate(): Promise<void> {
    const late = bench.pool();
    for (const statement of this.held) await late.query(statement as QueryConfig);
  }
}

async function setUp(options: Partial<PostgresLogOptions> = {}) {
  const [unreliable, schema] = [new UnreliablePool(), bench.newSchema()];
  // With a short timeout, nothing but the appends is to take time.
  if (options.timeout !== undefined) await bench.open({ pool: bench.pool(), schema }).head();
  const log = bench.open({ pool: unreliable.pool, schema, timeout: "6s", ...options });
  // The first append of a process knows no position, so it takes the longer way.
  await log.append([entry("a", "1")]);
  /** The first attempt of the append meets this fate, and the others arrive. */
  const appendWith = async (fate: Fate, ...data: string[]) => {
    const met = unreliable.meets(fate);
    const appending = log.append(data.map((each) => entry("a", each)));
    (await met)();
    return (await appending).map(({ offset }) => offset);
  };
  const stored = async () => (await read(log, 0, 100)).entries.map(({ data }) => data);
  return { schema, log, unreliable, appendWith, stored };
}

describe("an answer that never arrives", () => {
  test.each([
    ["of one entry", ["2"], ["append_one", "append_again"]],
    ["of several", ["2", "3"], ["append_plain", "append"]],
  ])("%s: the next attempt finds that it was stored", async (_, data, names) => {
    const { unreliable, appendWith, stored } = await setUp();
    expect(await appendWith("answer lost", ...data)).toEqual(data.map(Number));
    expect(unreliable.called.slice(1)).toEqual(names);
    expect(await stored()).toEqual(["1", ...data]);
  });

  test("other processes have appended, trimmed and cleared in between", async () => {
    const { schema, log, unreliable, appendWith } = await setUp({ maxEvents: 5 });
    const other = bench.open({ pool: bench.pool(), schema, maxEvents: 5 });
    const met = unreliable.meets("answer lost");
    const appending = log.append([entry("a", "2")]);
    const resume = await met;
    for (const _ of range(1, 20)) await other.append([entry("b")]);
    await vi.waitFor(async () => expect((await other.head()).floor.offset).toBeGreaterThan(2), { timeout: 5_000 });
    resume();
    expect((await appending).map(({ offset }) => offset)).toEqual([2]);
    expect((await other.head()).top).toBe(22);

    const again = unreliable.meets("answer lost");
    const cleared = log.append([entry("a", "23")]);
    const resumeCleared = await again;
    await other.clear?.("a");
    resumeCleared();
    expect((await cleared).map(({ offset }) => offset)).toEqual([23]);
    expect(await appendWith("arrives", "25")).toEqual([25]);
  });

  test("where witnesses are not kept, the outcome of a trimmed one stays unknown, and nothing is stored twice", async () => {
    const { schema, log, unreliable } = await setUp({ maxEvents: 5, witnessAge: 0 });
    const other = bench.open({ pool: bench.pool(), schema, maxEvents: 5, witnessAge: 0 });
    const met = unreliable.meets("answer lost");
    const appending = log.append([entry("a", "2")]).catch((error: unknown) => error);
    const resume = await met;
    for (const _ of range(1, 20)) await other.append([entry("b")]);
    await vi.waitFor(async () => expect((await other.head()).floor.offset).toBeGreaterThan(2), { timeout: 5_000 });
    resume();
    expect(await appending).toMatchObject({ code: "ERR_SSE_LOG", stored: "unknown" });
    expect((await other.head()).top).toBe(22);
  });

  test("the network swallows it", async () => {
    const [proxy, schema] = [await bench.proxy(), bench.newSchema()];
    const log = bench.open({ pool: bench.pool(proxy.port), schema, timeout: "6s" });
    await log.append([entry("a", "1")]);
    proxy.swallow("answers");
    const appending = log.append([entry("a", "2")]);
    await vi.waitFor(async () => {
      expect(await bench.run(`SELECT log_offset FROM ${schema}.entry`)).toHaveLength(2);
    });
    proxy.heal();
    expect((await appending).map(({ offset }) => offset)).toEqual([2]);
    expect(await bench.run(`SELECT count(*)::integer AS count FROM ${schema}.entry`)).toEqual([{ count: 2 }]);
  });
});

describe("an attempt that arrives late stores nothing", () => {
  test.each([
    ["of one entry", ["2"]],
    ["of several", ["2", "3"]],
  ])("%s: the next attempt was stored", async (_, data) => {
    const { unreliable, appendWith, stored } = await setUp();
    expect(await appendWith("held up", ...data)).toEqual(data.map(Number));
    expect(await appendWith("arrives", "last")).toEqual([data.length + 2]);
    await unreliable.arriveLate();
    expect(unreliable.held).toHaveLength(1);
    expect(await stored()).toEqual(["1", ...data, "last"]);
  });

  test("its publisher was told that the outcome is unknown, and a later event was stored", async () => {
    const { log, unreliable, appendWith, stored } = await setUp({ timeout: "1500ms" });
    unreliable.fate = "held up";
    expect(await log.append([entry("a", "2")]).catch((error: unknown) => error)).toMatchObject({ stored: "unknown" });
    unreliable.fate = "arrives";
    expect(await appendWith("arrives", "3")).toEqual([2]);
    // One receipt tells all attempts before it, so the next event needs none.
    expect(await appendWith("arrives", "4")).toEqual([3]);
    expect(unreliable.called.slice(-2)).toEqual(["append", "append_one"]);
    await unreliable.arriveLate();
    expect(unreliable.held.length).toBeGreaterThan(0);
    expect(await stored()).toEqual(["1", "3", "4"]);
  });
});

test("first attempts look for receipts of late attempts until these have expired", async () => {
  const { schema, log, appendWith } = await setUp();
  const lateTime = async () => {
    const [{ late_time: time }] = (await bench.run(`SELECT late_time FROM ${schema}.log`)) as [{ late_time: unknown }];
    return time;
  };
  /** As if everything had happened earlier. The next append trims. */
  const age = async (ms: number) => {
    await bench.run(
      `UPDATE ${schema}.receipt SET log_time = log_time - ${ms}; UPDATE ${schema}.log SET late_time = late_time - ${ms}`,
    );
    await log.append([entry("a")]);
  };
  const receipts = async () => (await bench.run(`SELECT FROM ${schema}.receipt`)).length;
  expect(await lateTime()).toBeNull();
  await appendWith("answer lost", "2");
  expect(await lateTime()).not.toBeNull();
  // Others may have followed the first one within a minute, which the note does not tell.
  await age(10 * 60_000);
  await vi.waitFor(async () => expect(await receipts()).toBe(0));
  expect(await lateTime()).not.toBeNull();
  await age(60_000);
  await vi.waitFor(async () => expect(await lateTime()).toBeNull());
});

test("a restored backup has given the known offsets once more: the attempt is still found", async () => {
  const { schema, log, unreliable, stored } = await setUp();
  for (const i of range(2, 6)) await log.append([entry("a", `${i}`)]);
  // As a backup of the first entry, after which other processes have published.
  await bench.run(`DELETE FROM ${schema}.entry WHERE log_offset > 1`);
  const met = unreliable.meets("answer lost");
  const appending = log.append([entry("a", "mine")]);
  const resume = await met;
  const other = bench.open({ pool: bench.pool(), schema });
  for (const _ of range(1, 10)) await other.append([entry("a", "other")]);
  resume();
  expect((await appending).map(({ offset }) => offset)).toEqual([2]);
  expect((await stored()).filter((data) => data === "mine")).toEqual(["mine"]);
});
