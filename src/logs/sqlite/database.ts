import type { SQLiteValue, SqlConnection, Statement } from "./connection.ts";
import type { Durability } from "./schema.ts";

/** A database as `node:sqlite` (`DatabaseSync`), `better-sqlite3` and `bun:sqlite` (`Database`) have it. */
export interface SQLiteLike {
  exec(sql: string): unknown;
  prepare(sql: string): SQLiteStatementLike;
  close(): unknown;
}

/** A prepared statement of a {@link SQLiteLike}; `?` stands for a value. */
export interface SQLiteStatementLike {
  run(...values: SQLiteValue[]): unknown;
  get(...values: SQLiteValue[]): unknown;
  all(...values: SQLiteValue[]): unknown[];
}

/** A database of a driver: a file that several processes may use at a time, or one in memory. */
export class DatabaseConnection implements SqlConnection {
  readonly name: string;
  readonly isExclusive = false;
  readonly #database: SQLiteLike;
  /** Nobody else uses this connection. */
  readonly #isOwn: boolean;
  readonly #beginRead: SQLiteStatementLike;
  readonly #beginWrite: SQLiteStatementLike;
  readonly #commit: SQLiteStatementLike;
  readonly #rollback: SQLiteStatementLike;
  readonly #version: Statement<{ data_version: number }>;

  /** @param path Of a file that was opened for this connection and is closed with it. */
  constructor(database: SQLiteLike, path?: string) {
    this.#database = database;
    this.#isOwn = path !== undefined;
    this.name = path === undefined ? "the database" : `the file ${JSON.stringify(path)}`;
    this.#beginRead = database.prepare("BEGIN");
    // Takes the write lock at once: a transaction that began to read could not go on to write after another process did.
    this.#beginWrite = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
    this.#rollback = database.prepare("ROLLBACK");
    this.#version = this.prepare("PRAGMA data_version");
  }

  configure(durability: Durability): void {
    // Readers and the writer do not wait for each other. A database in memory stays as it is.
    if (this.#pragma("journal_mode") !== "wal") this.#pragma("journal_mode = WAL");
    const full = 2;
    const wanted = durability === "power" ? full : 1;
    // What an application has set for its own connection is raised and never lowered.
    if (this.#isOwn || Number(this.#pragma("synchronous")) < wanted) this.exec(`PRAGMA synchronous = ${wanted}`);
    // macOS keeps a write in the drive's cache after an ordinary fsync. Other systems have no use for it.
    if (durability === "power") this.exec("PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1");
    // A lock is waited for without blocking the process (see SqliteLog); this is for the moment that others need.
    if (this.#isOwn) this.exec("PRAGMA busy_timeout = 10");
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  prepare<Row = unknown>(sql: string): Statement<Row> {
    return this.#database.prepare(sql) as Statement<Row>;
  }

  read<T>(work: () => T): T {
    return this.#transact(this.#beginRead, work);
  }

  write<T>(work: () => T): T {
    return this.#transact(this.#beginWrite, work);
  }

  sync(): undefined {
    return undefined;
  }

  version(): number {
    return Number(this.#version.get()?.data_version);
  }

  close(): void {
    if (this.#isOwn) this.#database.close();
  }

  #pragma(name: string): unknown {
    return Object.values(this.prepare<object>(`PRAGMA ${name}`).get() ?? {})[0];
  }

  #transact<T>(begin: SQLiteStatementLike, work: () => T): T {
    begin.run();
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      try {
        this.#rollback.run();
      } catch {
        // After some failures, such as a full disk, SQLite has rolled back by itself.
      }
      throw error;
    }
  }
}
