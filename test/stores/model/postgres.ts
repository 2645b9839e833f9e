import { postgresLog } from "../../../src/logs/postgres/index.ts";
import { FaultProxy } from "../../support/stores/fault-proxy.ts";
import { poolOf, runSql, startPostgres } from "../../support/stores/postgres-server.ts";
import type { ModelStore } from "./store.ts";

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
      await runSql(server, `DROP SCHEMA IF EXISTS "${schema}" CASCADE`);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
    },
  };
}
