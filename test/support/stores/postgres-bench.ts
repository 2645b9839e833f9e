/** One PostgreSQL server for the tests of a file, with a schema for each of them. */
import type pg from "pg";
import postgres from "postgres";
import type { CompleteLog } from "../../../src/log/complete.ts";
import type { Retention } from "../../../src/log/log.ts";
import { type PostgresLike, type PostgresLogOptions, postgresLog } from "../../../src/logs/postgres/index.ts";
import type { LogStorage } from "../../../src/testing/index.ts";
import { postgresStorage } from "../postgres-storage.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { type PostgresSettings, poolOf, runSql, startPostgres } from "./postgres-server.ts";
import type { StoreServer } from "./store-server.ts";

/** The clients that a test can ask for. */
export type ClientName = "pg" | "postgres.js";

export class PostgresBench implements AsyncDisposable {
  readonly server: StoreServer;
  readonly #cleanups: (() => unknown)[] = [];
  readonly #logs: { readonly schema: string; readonly log: CompleteLog }[] = [];
  #schemas = 0;

  constructor(server: StoreServer) {
    this.server = server;
  }

  /** A schema that no other test has. */
  newSchema(): string {
    return `log_${++this.#schemas}`;
  }

  /** A client of the server, or of a proxy in front of it. It is closed with the server. */
  connect(name: ClientName, port: number = this.server.port): PostgresLike {
    if (name === "pg") return this.pool(port);
    // The client itself asks for the types of arrays on each connection, and nothing handles the failure of that question.
    const options = { fetch_types: false, onnotice: () => {} };
    const sql = postgres({ host: "127.0.0.1", port, user: "postgres", database: "postgres", ...options });
    this.#cleanups.push(() => sql.end({ timeout: 0 }));
    return sql as unknown as PostgresLike;
  }

  pool(port: number = this.server.port, options: pg.PoolConfig = {}): pg.Pool {
    const pool = poolOf({ port }, options);
    this.#cleanups.push(() => pool.end());
    return pool;
  }

  /** A proxy in front of the server. */
  async proxy(): Promise<FaultProxy> {
    const proxy = await FaultProxy.start(this.server.port);
    this.#cleanups.push(() => proxy[Symbol.asyncDispose]());
    return proxy;
  }

  /** A log that is closed with the server. */
  open(options: Partial<PostgresLogOptions> & { pool: PostgresLike }): CompleteLog & ReturnType<typeof postgresLog> {
    const { schema = this.newSchema() } = options;
    const log = postgresLog({ ...options, schema });
    this.#logs.push({ schema, log });
    this.#cleanups.push(() => log.close());
    return log;
  }

  /** The logs that were opened in a schema. */
  logsOf(schema: string): CompleteLog[] {
    return this.#logs.filter((each) => each.schema === schema).map(({ log }) => log);
  }

  run(sql: string): Promise<unknown[]> {
    return runSql(this.server, sql);
  }

  /** Storage for the suite of logs. */
  async storage(retention: Retention, client: ClientName = "pg"): Promise<LogStorage> {
    const schema = this.newSchema();
    const proxy = await FaultProxy.start(this.server.port);
    const pool = this.connect(client, proxy.port);
    const storage = postgresStorage({
      schema,
      open: () => postgresLog({ pool, schema, timeout: "4s", ...retention }),
      execute: async (sql) => void (await this.run(sql)),
    });
    return {
      ...storage,
      fail(how) {
        if (how === "refused") proxy.refuse();
        else if (how === "lost") proxy.swallow("answers");
        else proxy.heal();
      },
      async remove() {
        await storage.remove?.();
        await proxy[Symbol.asyncDispose]();
      },
    };
  }

  /** Closes logs, clients and proxies. The server stays. */
  async closeClients(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeClients();
    await this.server[Symbol.asyncDispose]();
  }
}

/** Starts a server. */
export async function postgresBench(settings: PostgresSettings = {}, maxFileBytes?: number): Promise<PostgresBench> {
  return new PostgresBench(await startPostgres(settings, maxFileBytes));
}
