/** Storage for the suite of logs in a schema of a PostgreSQL database, whatever the client. */
import type { Log } from "../../src/log/log.ts";
import type { LogStorage } from "../../src/testing/index.ts";

export interface PostgresStorageOptions {
  readonly schema: string;
  open(): Log;
  /** Runs statements outside of any log. */
  execute(sql: string): Promise<void>;
}

const tables = ["log", "floor", "entry", "value", "trimmed", "witness", "idempotency", "receipt"];

/** With the newest entries lost as in a failover, and with copies that are restored. */
export function postgresStorage({ schema, open, execute }: PostgresStorageOptions): LogStorage {
  const s = `"${schema}"`;
  let copies = 0;
  const drop = [s];
  return {
    open,
    /** The state that a standby has which stopped before these entries. */
    async lose(count) {
      await execute(`
        BEGIN;
        SELECT FROM ${s}.log FOR UPDATE;
        CREATE TEMPORARY TABLE cut ON COMMIT DROP AS SELECT max(log_offset) - ${count} AS at FROM ${s}.entry;
        DELETE FROM ${s}.entry WHERE log_offset > (SELECT at FROM cut);
        UPDATE ${s}.entry AS e SET superseded = false WHERE key IS NOT NULL AND NOT EXISTS (
          SELECT FROM ${s}.entry AS n WHERE n.channel = e.channel AND n.key = e.key AND n.log_offset > e.log_offset
        );
        DELETE FROM ${s}.value;
        INSERT INTO ${s}.value (channel, key, log_offset, weight)
        SELECT channel, key, log_offset, weight FROM ${s}.entry WHERE key IS NOT NULL AND NOT superseded;
        DELETE FROM ${s}.idempotency WHERE log_offset > (SELECT at FROM cut);
        DELETE FROM ${s}.receipt;
        COMMIT`);
    },
    async copy() {
      const c = `"${schema} copy ${++copies}"`;
      drop.push(c);
      const all = tables.map((table) => `CREATE TABLE ${c}.${table} AS TABLE ${s}.${table};`);
      await execute(`BEGIN; CREATE SCHEMA ${c}; ${all.join("")} COMMIT`);
      const back = tables.map((table) => `DELETE FROM ${s}.${table}; INSERT INTO ${s}.${table} TABLE ${c}.${table};`);
      return () => execute(`BEGIN; SELECT FROM ${s}.log FOR UPDATE; ${back.join("")} COMMIT`);
    },
    async remove() {
      for (const name of drop) await execute(`DROP SCHEMA IF EXISTS ${name} CASCADE`);
    },
  };
}
