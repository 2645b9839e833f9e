/** Publishing within transactions of the application, on a real server with several connections. */
import type pg from "pg";
import type postgres from "postgres";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { PostgresLike } from "../../src/logs/postgres/index.ts";
import { at, range } from "../../src/testing/log/ask.ts";
import { openHub } from "../support/hub.ts";
import { type PostgresBench, postgresBench } from "../support/stores/postgres-bench.ts";

let bench: PostgresBench;
const clients: pg.PoolClient[] = [];

beforeAll(async () => {
  bench = await postgresBench();
  await bench.run("CREATE TABLE orders (id integer PRIMARY KEY)");
});
afterEach(() => {
  for (const client of clients.splice(0)) client.release(true);
});
afterAll(() => bench[Symbol.asyncDispose]());

async function setUp(pool: PostgresLike = bench.pool()) {
  const schema = bench.newSchema();
  const log = bench.open({ pool, schema });
  const { hub } = openHub({ log });
  await hub.ready();
  const data = async () => {
    const { entries } = await log.read(0, { limit: 1_000, maxBytes: 1e7, conflate: false });
    return entries.map((entry) => entry.data);
  };
  return { schema, log, hub, news: hub.channel("news"), data };
}

/** A client of `pg` on which a transaction was begun. */
async function begin(how = ""): Promise<pg.PoolClient> {
  const client = await bench.pool().connect();
  clients.push(client);
  await client.query(`BEGIN ${how}`);
  return client;
}

test.each(["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])("at the isolation level %s", async (level) => {
  const { news, data } = await setUp();
  const [one, two] = [await begin(`ISOLATION LEVEL ${level}`), await begin(`ISOLATION LEVEL ${level}`)];
  // Their snapshots are older than all that follows, and they overlap.
  for (const client of [one, two]) await client.query("SELECT count(*) FROM orders");
  await news.dispatch("a", "0");
  await news.dispatch("a", "one", { transaction: one });
  await news.dispatch("a", "two", { transaction: two });
  await two.query("COMMIT");
  await vi.waitFor(async () => expect(await data()).toEqual(["0", "two"]));
  await one.query("COMMIT");
  await vi.waitFor(async () => expect(await data()).toEqual(["0", "two", "one"]));
});

test("a long transaction blocks no publisher, no other transaction, and no retention", async () => {
  const { news, data, log, schema } = await setUp();
  const long = await begin();
  await news.dispatch("a", "long", { transaction: long });
  const locks = await bench.run(
    `SELECT mode FROM pg_locks JOIN pg_class ON pg_class.oid = relation
     WHERE relnamespace = '${schema}'::regnamespace AND mode NOT IN ('RowExclusiveLock', 'AccessShareLock')`,
  );
  expect(locks).toEqual([]);
  expect(
    await bench.run("SELECT FROM pg_locks WHERE locktype IN ('advisory', 'object') AND mode LIKE '%Exclusive%'"),
  ).toEqual([]);
  for (const i of range(1, 20)) {
    await news.dispatch("a", `${i}`);
    const short = await begin();
    await news.dispatch("a", `short ${i}`, { transaction: short });
    await short.query("COMMIT");
    short.release();
    clients.pop();
  }
  await vi.waitFor(async () => expect(await data()).toHaveLength(40));
  expect(await data()).not.toContain("long");
  await long.query("COMMIT");
  await vi.waitFor(async () => expect((await data()).at(-1)).toBe("long"));
  expect((await log.head()).top).toBe(41);
});

test("events are moved once, whatever number of processes looks for them, in the order of each transaction", async () => {
  const schema = bench.newSchema();
  const hubs = range(1, 4).map(() => openHub({ log: bench.open({ pool: bench.pool(), schema }) }).hub);
  await Promise.all(hubs.map((hub) => hub.ready()));
  const publish = async (n: number) => {
    const client = await begin();
    const hub = hubs[n % hubs.length];
    for (const i of range(1, 5)) await hub?.channel(`c${n}`).dispatch("a", `${i}`, { transaction: client });
    await client.query(n % 5 === 0 ? "ROLLBACK" : "COMMIT");
  };
  await Promise.all(range(1, 20).map(publish));
  const [log] = bench.logsOf(schema);
  await vi.waitFor(async () => expect((await log?.head())?.top).toBe(80), { timeout: 5_000 });
  for (const n of range(1, 20)) {
    const page = await log?.read(0, {
      limit: 100,
      maxBytes: 1e6,
      selection: { channels: [`c${n}`], prefixes: [] },
      conflate: false,
    });
    expect(page?.entries.map(({ data }) => data)).toEqual(n % 5 === 0 ? [] : range(1, 5).map(String));
  }
});

test("a process that ends within its transaction leaves nothing, and one that ends after the commit leaves it to others", async () => {
  const { news, data, log, schema } = await setUp();
  const dying = await begin();
  await news.dispatch("a", "lost", { transaction: dying });
  dying.release(true);
  clients.pop();
  // As another process has left it.
  const other = bench.open({ pool: bench.pool(), schema });
  const committed = await begin();
  await other.appendIn?.(committed, [{ channel: "news", type: "a", data: "kept" }]);
  const closing = other.close();
  await committed.query("COMMIT");
  await closing;
  const arrived: string[] = [];
  const tail = log.tail(
    await at(log, 0),
    ({ entries }) => arrived.push(...entries.map((entry) => entry.data)),
    () => {},
  );
  await vi.waitFor(() => expect(arrived).toEqual(["kept"]), { timeout: 5_000 });
  expect(await data()).toEqual(["kept"]);
  tail.close();
});

test("a client without an open transaction is rejected, and publishes nothing", async () => {
  const { news, data, schema } = await setUp();
  const client = await bench.pool().connect();
  clients.push(client);
  await expect(news.dispatch("a", "1", { transaction: client })).rejects.toThrow(
    /option transaction is a client without an open transaction, and nothing was published; pass the client/,
  );
  // As in versions of pg that do not know the state of their transaction.
  const old = { query: client.query.bind(client) };
  await expect(news.dispatch("a", "1", { transaction: old })).rejects.toThrow(/a client without an open transaction/);
  await client.query("BEGIN");
  await news.dispatch("a", "1", { transaction: old });
  await client.query("ROLLBACK");
  await expect(news.dispatch("a", "1", { transaction: bench.pool() })).rejects.toThrow(/is a pool or a database/);
  expect(await bench.run(`SELECT FROM ${schema}.outbox`)).toEqual([]);
  expect(await data()).toEqual([]);
});

test("the first publish of a process is within the transaction that holds the only connection", async () => {
  const { schema } = await setUp();
  const pool = bench.pool(bench.server.port, { max: 1 });
  const log = bench.open({ pool, schema });
  const client = await pool.connect();
  await client.query("BEGIN");
  await log.appendIn?.(client, [{ channel: "a", type: "n", data: "1" }]);
  await client.query("COMMIT");
  client.release();
  await vi.waitFor(async () => expect((await log.head()).top).toBe(1), { timeout: 5_000 });
});

test("postgres.js: the sql of begin() is the transaction", async () => {
  const sql = bench.connect("postgres.js") as unknown as postgres.Sql;
  const { news, data } = await setUp(sql as unknown as PostgresLike);
  await sql.begin(async (transaction) => {
    await transaction`SELECT 1`;
    await news.dispatch("a", "1", { transaction });
    await news.dispatch("a", "2", { transaction });
  });
  await sql
    .begin(async (transaction) => {
      await news.dispatch("a", "lost", { transaction });
      throw new Error("the application's own");
    })
    .catch(() => {});
  await vi.waitFor(async () => expect(await data()).toEqual(["1", "2"]));
  await expect(news.dispatch("a", "3", { transaction: sql })).rejects.toThrow(/is a pool or a database/);
});
