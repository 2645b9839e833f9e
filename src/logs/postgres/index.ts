// `sourcecast/postgres`: a log for several machines, in a PostgreSQL database.
import { aDuration, allow, anything, checkOptions, type OptionChecks } from "../../base/options.ts";
import { type Duration, milliseconds } from "../../base/units.ts";
import type { CompleteLog } from "../../log/complete.ts";
import type { Retention, TransactionLog } from "../../log/log.ts";
import { retentionChecks, retentionLimits } from "../../log/retention.ts";
import { connect } from "./clients.ts";
import type {
  BunSqlLike,
  PGliteLike,
  PgPoolClientLike,
  PgPoolLike,
  PostgresJsLike,
  PostgresLike,
} from "./connection.ts";
import { PostgresLog } from "./log.ts";
import { maxSchemaBytes, schemaNames } from "./schema/index.ts";

export type { BunSqlLike, PGliteLike, PgPoolClientLike, PgPoolLike, PostgresJsLike, PostgresLike };

/** The options of {@link postgresLog}. By default it keeps 1,000,000 entries and at most 1 GB. */
export interface PostgresLogOptions extends Retention {
  /**
   * The database: a `Pool` of `pg`, the `sql` of `postgres.js` or of Bun, or a PGlite database. It stays open when the log is
   * closed. The server must be PostgreSQL 13 or newer, and the database encoded in UTF8.
   */
  pool: PostgresLike;
  /**
   * The schema that holds all tables of the log, and nothing else. It is created if it does not exist. One schema is one log.
   * @default "sourcecast"
   */
  schema?: string;
  /**
   * How the log notices entries of other processes: by `LISTEN` on a connection of its own, and by polling as long as
   * no notification arrives there. Pass a client with a direct connection if `pool` leads to a pooler such as
   * PgBouncer, or `false` to poll only.
   * @default the same as `pool`
   */
  listen?: PostgresLike | false;
  /** How often to ask for new entries while no notifications arrive. With notifications, about once a second. @default "100ms" */
  poll?: Duration;
  /**
   * How long an append may take, over all attempts, while the server cannot be reached. After that, it rejects with
   * `ERR_SSE_LOG`.
   * @default "10s"
   */
  timeout?: Duration;
  /**
   * How long the witness of a trimmed entry is kept, so that a client of a quiet channel can resume without a false gap. At
   * most 16 million witnesses are kept, which take 64 MB. @default "1d"
   */
  witnessAge?: Duration;
}

/**
 * A log for several machines, in a PostgreSQL database. One statement stores everything that is published in one tick. Events
 * can also be published within a transaction of the application: `dispatch(type, data, { transaction: client })`.
 *
 * The first call connects, checks the server and creates or migrates the schema. It rejects with `ERR_SSE_LOG`, before
 * anything is written, if the log cannot use what it finds.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for options with values that are not allowed.
 * @example
 * ```ts
 * import { PGlite } from "@electric-sql/pglite";
 * import { createHub } from "sourcecast";
 * import { postgresLog } from "sourcecast/postgres";
 *
 * const pool = await PGlite.create(); // or: new Pool({ connectionString }) of pg
 * const hub = createHub({ log: postgresLog({ pool, maxAge: "7d" }) });
 * await hub.channel("news").dispatch("headline", { title: "Rain tomorrow" });
 * await hub.close();
 * await pool.close();
 * ```
 */
export function postgresLog(options: PostgresLogOptions): CompleteLog & TransactionLog {
  checkOptions(options ?? {}, postgresChecks, "postgresLog()");
  const { pool, schema = "sourcecast", listen = pool, poll = "100ms", timeout = "10s" } = options ?? {};
  const timeoutMs = milliseconds(timeout, "timeout");
  // A second attempt must fit into the time of an append.
  const connection = connect(pool, Math.max(1, timeoutMs / 2.5));
  return new PostgresLog({
    connection,
    listenOn: listen === false ? null : listen === pool ? connection : connect(listen, timeoutMs),
    names: schemaNames(schema),
    limits: retentionLimits(options, { maxEvents: 1_000_000, maxBytes: "1gb", witnessAge: "1d" }),
    pollMs: Math.max(1, milliseconds(poll, "poll")),
    timeoutMs,
  });
}

const postgresChecks: OptionChecks<PostgresLogOptions> = {
  ...retentionChecks,
  // Checked where it is recognized.
  pool: anything,
  listen: anything,
  schema: allow(
    `a string of 1 to ${maxSchemaBytes} bytes`,
    (value) =>
      typeof value === "string" &&
      value !== "" &&
      value.isWellFormed() &&
      !/[\0$]/.test(value) &&
      new TextEncoder().encode(value).length <= maxSchemaBytes,
  ),
  poll: aDuration,
  timeout: aDuration,
};
