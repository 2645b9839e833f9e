/** Hubs on PostgreSQL: everything that hubs on memory and SQLite do, by several processes on one schema. */
import { afterAll, beforeAll } from "vitest";
import { postgresLog } from "../../src/logs/postgres/index.ts";
import { testHubs } from "../support/stores/hub-suite.ts";
import { type PostgresBench, postgresBench } from "../support/stores/postgres-bench.ts";

let bench: PostgresBench;

beforeAll(async () => {
  bench = await postgresBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

testHubs("PostgreSQL", async (retention, body) => {
  const schema = bench.newSchema();
  const pool = bench.connect("pg");
  await body(() => postgresLog({ pool, schema, ...retention }));
});
