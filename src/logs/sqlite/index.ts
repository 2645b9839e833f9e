// `sourcecast/sqlite`: the durable log of one machine.
import { quote, SourcecastTypeError } from "../../base/errors.ts";
import { aDuration, allow, anything, checkOptions, type OptionChecks } from "../../base/options.ts";
import { type Duration, milliseconds } from "../../base/units.ts";
import type { CompleteLog } from "../../log/complete.ts";
import type { Retention } from "../../log/log.ts";
import { retentionChecks, retentionLimits } from "../../log/retention.ts";
import type { Durability, SQLiteLike, SqlConnection } from "./connection.ts";
import { DatabaseConnection } from "./database.ts";
import { explain, openFile } from "./driver.ts";
import { SqliteLog } from "./log.ts";
import { prepareDatabase } from "./prepare.ts";
import { Session } from "./session.ts";
import { type DurableObjectStorageLike, StorageConnection } from "./storage.ts";

export type { SQLiteStatementLike, SQLiteValue } from "./connection.ts";
export type { Durability, DurableObjectStorageLike, SQLiteLike };

/** The options of {@link sqliteLog}. By default it keeps 1,000,000 entries and at most 1 GB. */
export interface SqliteLogOptions extends Retention {
  /**
   * The file, which is created if it does not exist; `":memory:"` for a log that ends with the process. Opened with
   * `node:sqlite`, and closed with the log. @default none, `database` is required then
   */
  path?: string;
  /**
   * In place of `path`: an open database of `node:sqlite`, `better-sqlite3` or `bun:sqlite`, in UTF-8. It is switched to WAL,
   * and stays open when the log is closed. Or the `ctx.storage` of a Durable Object, which nothing else can write to.
   * @default none, `path` is required then
   */
  database?: SQLiteLike | DurableObjectStorageLike;
  /**
   * How much an accepted event survives: with `"process"` the end of the process, however it ends; with `"power"` a loss of
   * power too, for which each tick waits once for the disk. In a Durable Object, `"power"` waits for `storage.sync()`; without
   * it, the runtime delays responses until the writes are safe. @default "process"
   */
  durability?: Durability;
  /**
   * How long to wait while another process or transaction holds the lock of the database. While another process
   * migrates a log of an older version, a process that starts waits for at least two minutes. @default "5s"
   */
  busyTimeout?: Duration;
  /**
   * How long the witness of a trimmed entry is kept, so that a client of a quiet channel can resume without a false
   * gap. At most 16 million witnesses are kept, which take 64 MB. If a log trims more than that in this time, the
   * oldest are forgotten first. @default "1d"
   */
  witnessAge?: Duration;
}

/**
 * The durable log of one machine: a file that several processes may use at once. One transaction stores everything that is
 * published in one tick.
 *
 * When the file is removed or replaced while the log runs, every call rejects until a file is there again: see the page on logs.
 *
 * Opening a file of an older version of this package migrates it. From then on, processes of that version can no longer
 * publish: restart them.
 *
 * @throws {SourcecastError} `ERR_SSE_LOG` for a database that cannot be used: locked, damaged, of a newer version.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for options with values that are not allowed.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { sqliteLog } from "sourcecast/sqlite";
 *
 * const hub = createHub({ log: sqliteLog({ path: "events.db", maxAge: "7d" }) });
 * await hub.close();
 * ```
 */
export function sqliteLog(options: SqliteLogOptions = {}): CompleteLog {
  checkOptions(options, sqliteChecks, "sqliteLog()");
  const { durability = "process", busyTimeout = "5s" } = options;
  const limits = retentionLimits(options, { maxEvents: 1_000_000, maxBytes: "1gb", witnessAge: "1d" });
  const timeout = milliseconds(busyTimeout, "busyTimeout");
  const start = (database: OpenDatabase, timeout: number): Session => {
    try {
      const settings = { durability, timeout };
      return prepareDatabase(database.connect, settings, (connection) => new Session(connection, limits));
    } catch (error) {
      database.close();
      throw explain(error, database.name);
    }
  };
  // While the log runs, nothing may block the process: a call that finds a lock tries again later.
  const reopen = options.path === undefined ? undefined : (file: string) => start(openPath(file), 0);
  return new SqliteLog(start(open(options), timeout), { busyTimeout: timeout, reopen });
}

const sqliteChecks: OptionChecks<SqliteLogOptions> = {
  ...retentionChecks,
  // One error covers both: exactly one of them is required.
  path: anything,
  database: anything,
  durability: allow('"process" or "power"', (value) => value === "process" || value === "power"),
  busyTimeout: aDuration,
};

/** An open database, before anything has been read from it. */
interface OpenDatabase {
  readonly name: string;
  readonly connect: () => SqlConnection;
  /** Closes what was opened here. */
  readonly close: () => void;
}

function open({ path, database }: SqliteLogOptions): OpenDatabase {
  if (typeof path === "string" && database === undefined) return openPath(path);
  if (path === undefined && database !== undefined) {
    if (isStorage(database)) return brought("the storage of the Durable Object", () => new StorageConnection(database));
    if (typeof database?.prepare === "function") return brought("the database", () => new DatabaseConnection(database));
  }
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `The options path and database are ${quote(path)} and ${quote(database)}; pass one of them, the name of a file or an ` +
      "open database",
  );
}

function openPath(path: string): OpenDatabase {
  // SQLite would open a temporary database that no other process sees.
  if (path.trim() === "") {
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      `The option path is ${quote(path)}; pass the name of a file, or ":memory:" for a log that ends with the process`,
    );
  }
  const name = `the file ${JSON.stringify(path)}`;
  try {
    const database = openFile(path);
    return { name, connect: () => new DatabaseConnection(database, path), close: () => void database.close() };
  } catch (error) {
    throw explain(error, name);
  }
}

/** A database that the application passed in: the log does not close it, not even when it cannot be used. */
function brought(name: string, connect: () => SqlConnection): OpenDatabase {
  return { name, connect, close: () => {} };
}

/** Recognized by `transactionSync`, which no driver has. `instanceof` would need a class of the Workers runtime. */
function isStorage(database: SQLiteLike | DurableObjectStorageLike): database is DurableObjectStorageLike {
  return typeof database === "object" && database !== null && "transactionSync" in database;
}
