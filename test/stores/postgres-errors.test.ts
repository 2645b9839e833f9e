/** Databases, users and schemas that a log cannot use: an error says so before anything is written. */
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Log } from "../../src/log/log.ts";
import { connect } from "../../src/logs/postgres/clients.ts";
import { prepare } from "../../src/logs/postgres/prepare.ts";
import { type Migration, migrations, type SchemaNames, schemaNames } from "../../src/logs/postgres/schema/index.ts";
import { entry, range } from "../../src/testing/log/ask.ts";
import { type PostgresBench, postgresBench } from "../support/stores/postgres-bench.ts";

let bench: PostgresBench;

beforeAll(async () => {
  bench = await postgresBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** As a log does with its first call. */
async function prepareOn(pool: pg.Pool, ...args: [names: SchemaNames, steps: readonly Migration[]]): Promise<void> {
  const connection = connect(pool, 5_000);
  try {
    await prepare(connection, ...args);
  } finally {
    connection.close();
  }
}

/** The error of the first call. */
async function failureOf(log: Log): Promise<{ code: string; stored: unknown; message: string }> {
  const outcome = await log.append([entry("a")]).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(Error);
  return outcome as never;
}

async function schemas(): Promise<string[]> {
  const rows = (await bench.run("SELECT nspname FROM pg_namespace")) as { nspname: string }[];
  return rows.map(({ nspname }) => nspname);
}

describe("a user without privileges", () => {
  test("may not create the schema, use it, or use its tables: each is named, and nothing is written", async () => {
    const schema = bench.newSchema();
    await bench.run("CREATE ROLE app LOGIN");
    const open = () => bench.open({ pool: bench.pool(bench.server.port, { user: "app" }), schema });
    expect(await failureOf(open())).toMatchObject({
      code: "ERR_SSE_LOG",
      stored: false,
      message: expect.stringMatching(/user "app" lacks the privilege CREATE on the database "postgres".*grant it/),
    });
    expect(await schemas()).not.toContain(schema);

    await bench.run(`CREATE SCHEMA ${schema}`);
    expect((await failureOf(open())).message).toMatch(/lacks the privilege USAGE on the schema/);
    await bench.run(`GRANT USAGE ON SCHEMA ${schema} TO app`);
    expect((await failureOf(open())).message).toMatch(/lacks the privilege CREATE on the schema/);

    const owner = bench.open({ pool: bench.pool(), schema });
    await owner.append([entry("a")]);
    expect((await failureOf(open())).message).toMatch(
      /lacks the privilege SELECT, INSERT, UPDATE and DELETE on the tables "entry".*"outbox"/,
    );
    await bench.run(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO app`);
    const [placed] = await open().append([entry("a")]);
    expect(placed?.offset).toBe(2);
  });

  test("whose privileges are revoked while it runs learns that, and continues when it has them again", async () => {
    const schema = bench.newSchema();
    await bench.run("CREATE ROLE guest LOGIN");
    await bench.open({ pool: bench.pool(), schema }).append([entry("a")]);
    const grant = `SCHEMA ${schema} TO guest`;
    const tables = `SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema}`;
    await bench.run(`GRANT USAGE ON ${grant}; GRANT ${tables} TO guest`);
    const log = bench.open({ pool: bench.pool(bench.server.port, { user: "guest" }), schema });
    await log.append([entry("a")]);
    await bench.run(`REVOKE ${tables} FROM guest`);
    expect(await failureOf(log)).toMatchObject({
      stored: false,
      message: expect.stringMatching(/grant it USAGE on the schema/),
    });
    await bench.run(`GRANT ${tables} TO guest`);
    const [placed] = await log.append([entry("a")]);
    expect(placed?.offset).toBe(3);
  });

  test("who does not exist, or a database that does not", async () => {
    const pool = bench.pool(bench.server.port, { user: "nobody" });
    expect((await failureOf(bench.open({ pool }))).message).toMatch(
      /server rejects the user or the password of the pool/,
    );
    const other = bench.pool(bench.server.port, { database: "none" });
    expect((await failureOf(bench.open({ pool: other }))).message).toMatch(/the database does not exist; create it/);
  });
});

describe("a database or schema of something else", () => {
  test("has another encoding", async () => {
    await bench.run("CREATE DATABASE latin TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
    const pool = bench.pool(bench.server.port, { database: "latin" });
    expect((await failureOf(bench.open({ pool }))).message).toMatch(/"latin" has the encoding SQL_ASCII; .* with UTF8/);
  });

  test("has tables of its own", async () => {
    const schema = bench.newSchema();
    await bench.run(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.entry (id integer)`);
    const log = bench.open({ pool: bench.pool(), schema });
    expect((await failureOf(log)).message).toMatch(/has tables of another program; give the log a schema of its own/);
    const rows = await bench.run(`SELECT relname FROM pg_class WHERE relnamespace = '${schema}'::regnamespace`);
    expect(rows).toEqual([{ relname: "entry" }]);
  });

  test("was written by a newer version", async () => {
    const schema = bench.newSchema();
    await bench.open({ pool: bench.pool(), schema }).append([entry("a")]);
    await bench.run(`INSERT INTO ${schema}.migration (version) VALUES (99)`);
    expect((await failureOf(bench.open({ pool: bench.pool(), schema }))).message).toMatch(
      /A newer version of this package wrote the schema .*version 99; this one supports up to 1.*update the package/,
    );
  });
});

test("a log that is removed while it is in use begins again as another one", async () => {
  const schema = bench.newSchema();
  const [log, other] = range(1, 2).map(() => bench.open({ pool: bench.pool(), schema })) as [Log, Log];
  const [first] = await log.append([entry("a")]);
  for (const _ of range(1, 2)) await other.append([entry("a")]);
  await bench.run(`DROP SCHEMA ${schema} CASCADE`);
  const [again] = await log.append([entry("a")]);
  expect(again?.offset).toBe(1);
  expect(again?.epoch).not.toBe(first?.epoch);
  // This one does not notice it: the functions are there again. With a note of late attempts, it would go the longer way.
  await bench.run(`UPDATE ${schema}.log SET late_time = NULL`);
  expect(await other.append([entry("a")])).toMatchObject([{ epoch: again?.epoch, offset: 2 }]);
});

test("two logs with different options: the second one is rejected while the first one is there", async () => {
  const schema = bench.newSchema();
  const first = bench.open({ pool: bench.pool(), schema, maxEvents: 10 });
  await first.append([entry("a")]);
  const other = bench.open({ pool: bench.pool(), schema, maxEvents: 20, maxAge: "1h" });
  expect(await failureOf(other)).toMatchObject({
    code: "ERR_SSE_LOG",
    stored: false,
    message: expect.stringMatching(
      /maxEvents is 10 there, and 20 here; maxAge is none there, and 3600000 here; give all/,
    ),
  });
  await bench.open({ pool: bench.pool(), schema, maxEvents: 10 }).append([entry("a")]);
  for (const log of bench.logsOf(schema)) await log.close();
  const [placed] = await bench.open({ pool: bench.pool(), schema, maxEvents: 20, maxAge: "1h" }).append([entry("a")]);
  expect(placed?.offset).toBe(3);
});

test("transactions that are not read committed by default", async () => {
  const pool = bench.pool(bench.server.port, { options: "-c default_transaction_isolation=serializable" });
  expect((await failureOf(bench.open({ pool }))).message).toMatch(
    /needs transactions that are read committed.*give the log a pool of its own/,
  );
});

test("ten processes that start together create the schema once", async () => {
  const schema = bench.newSchema();
  const logs = range(1, 10).map(() => bench.open({ pool: bench.pool(), schema }));
  const placed = await Promise.all(logs.map((log) => log.append([entry("a")])));
  expect(placed.map(([one]) => one?.offset).sort((a, b) => Number(a) - Number(b))).toEqual(range(1, 10));
  expect(await bench.run(`SELECT version FROM ${schema}.migration`)).toEqual(
    migrations.map(({ version }) => ({ version })),
  );
});

test("ten processes run each migration once, in their order, and all of it or nothing", async () => {
  const schema = bench.newSchema();
  const names = schemaNames(schema);
  const latest = migrations.length;
  const [pool, entered] = [bench.pool(), bench.open({ pool: bench.pool(), schema })];
  await entered.append([entry("a")]);
  const steps = [
    ...migrations,
    {
      version: latest + 1,
      statements: () => `CREATE TABLE ${names.schema}.steps (n integer); INSERT INTO ${names.schema}.steps VALUES (2);`,
    },
    { version: latest + 2, statements: () => `INSERT INTO ${names.schema}.steps VALUES (3);` },
  ];
  const failing = [
    ...steps,
    { version: latest + 3, statements: () => `INSERT INTO ${names.schema}.steps VALUES (1 / 0);` },
  ];
  await expect(prepareOn(pool, names, failing)).rejects.toThrow(/division by zero/);
  expect(await bench.run(`SELECT max(version) AS version FROM ${schema}.migration`)).toEqual([{ version: latest }]);
  await Promise.all(range(1, 10).map(() => prepareOn(bench.pool(), names, steps)));
  expect(await bench.run(`SELECT n FROM ${schema}.steps`)).toEqual([{ n: 2 }, { n: 3 }]);
});

test("a step replaces all functions, and a process of the version before continues", async () => {
  const schema = bench.newSchema();
  const log = bench.open({ pool: bench.pool(), schema });
  await log.append([entry("a", "1"), entry("a", "2")]);
  const names = schemaNames(schema);
  // As if they were those of the version before.
  await bench.run(`
    CREATE OR REPLACE FUNCTION ${schema}.clock() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
    DROP FUNCTION ${schema}.append_again`);
  const latest = migrations.length;
  await prepareOn(bench.pool(), names, migrations);
  expect(await bench.run(`SELECT ${schema}.clock()::integer AS time`)).toEqual([{ time: 0 }]);
  await prepareOn(bench.pool(), names, [...migrations, { version: latest + 1, statements: () => "" }]);
  const functions = `SELECT count(*)::integer AS found FROM pg_proc WHERE proname = 'append_again' AND pronamespace = '${schema}'::regnamespace`;
  expect(await bench.run(functions)).toEqual([{ found: 1 }]);
  expect((await log.append([entry("a", "3")]))[0]?.offset).toBe(3);
  const { entries } = await log.read(0, { limit: 10, maxBytes: 10_000, conflate: false });
  expect(entries.map(({ data }) => data)).toEqual(["1", "2", "3"]);
  expect(entries.at(-1)?.time).toBeGreaterThan(0);
  expect(await bench.run(`SELECT version FROM ${schema}.migration ORDER BY version`)).toEqual(
    range(1, latest + 1).map((version) => ({ version })),
  );
});

test("a key that is too long for an index fails alone", async () => {
  const log = bench.open({ pool: bench.pool() });
  const results = await Promise.allSettled([
    log.append([entry("a", "1")]),
    log.append([entry("a", "2", { key: "k".repeat(3_000) })]),
    log.append([entry("a", "3", { idempotencyKey: "ü".repeat(1_500) })]),
    log.append([entry("a", "4", { key: "k".repeat(2_500) })]),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled"]);
  expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ code: "ERR_SSE_LIMIT" });
});
