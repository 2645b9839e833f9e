import { postgresLog } from "../../../src/logs/postgres/index.ts";
import { FaultProxy } from "../../support/stores/fault-proxy.ts";
import { poolOf, runSql, startPostgres } from "../../support/stores/postgres-server.ts";
import type { ModelStore } from "./store.ts";

/** Drops a schema whose tables are in use: PostgreSQL may end the one or the other of two that wait for each other. */
async function drop(server: Parameters<typeof runSql>[0], schema: string): Promise<void> {
  for (;;) {
    try {
      await runSql(server, `DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== deadlockDetected) throw error;
    }
  }
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const deadlockDetected = "40P01";

export async function postgresModelStore(): Promise<ModelStore> {
  const server = await startPostgres({ max_connections: 400 });
  return {
    name: "postgres",
    trimsAll: false,
    async machine() {
      const proxy = await FaultProxy.start(server.port);
      const pool = poolOf(proxy, { max: 3 });
      return {
        proxy,
        open: (schema, retention) => postgresLog({ pool, schema, timeout: "2s", ...retention }),
        async [Symbol.asyncDispose]() {
          await pool.end();
          await proxy[Symbol.asyncDispose]();
        },
      };
    },
    async renew(schema) {
      await drop(server, schema);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
    },
  };
}
