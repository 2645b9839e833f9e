/** Storage for the suite of logs, in schemas of one PGlite database, which takes a second to start. */
import { PGlite } from "@electric-sql/pglite";
import { afterAll } from "vitest";
import type { Retention } from "../../src/log/log.ts";
import { type PostgresLogOptions, postgresLog } from "../../src/logs/postgres/index.ts";
import type { LogStorage } from "../../src/testing/index.ts";
import { postgresStorage } from "./postgres-storage.ts";

let database: Promise<PGlite> | null = null;
let schemas = 0;

/** The database of this file. */
export function pglite(): Promise<PGlite> {
  database ??= PGlite.create();
  return database;
}

afterAll(async () => {
  await (await database)?.close();
});

/** A schema that no other test has. */
export function newSchema(): string {
  return `log ${++schemas}`;
}

export async function pgliteStorage(
  retention: Retention,
  options: Partial<PostgresLogOptions> = {},
): Promise<LogStorage> {
  const pool = await pglite();
  const schema = newSchema();
  return postgresStorage({
    schema,
    open: () => postgresLog({ pool, schema, ...retention, ...options }),
    execute: async (sql) => void (await pool.exec(sql)),
  });
}
