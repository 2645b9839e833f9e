// One open database, whatever opened it: what the rest of the log asks of it.

import type { OpenFiles } from "./files.ts";

/**
 * How much an accepted event survives: with `"process"` the end of the process, however it ends; with `"power"` a loss of
 * power too, for which each transaction waits for the disk.
 */
export type Durability = "process" | "power";

/** An open database: statements, transactions, and its name in messages. */
export interface SqlConnection {
  /** `the file "events.db"`, `the database`. */
  readonly name: string;
  /** Path of the file, `null` where there is none or the database does not say. */
  readonly file: string | null;
  /** Whether its files are still in their place; `null` where that cannot be seen. */
  readonly files: OpenFiles | null;
  /** Nothing else can write to it: there are no changes to look for. */
  readonly isExclusive: boolean;
  /** Held in memory by timers: in a Durable Object, nothing is scheduled for later than the next turns. */
  readonly isEvictable: boolean;
  /** Prepares it for what is to survive. */
  configure(durability: Durability): void;
  /** Runs one or more statements that have no values to bind and no rows to return. */
  exec(sql: string): void;
  /** Prepared once for the life of the connection; `Row` is not checked. */
  prepare<Row = unknown>(sql: string): Statement<Row>;
  /** Reads from one state of the database. @throws {LogError} when its file was removed or replaced. */
  read<T>(work: () => T): T;
  /**
   * Writes all or nothing.
   *
   * @throws {LogError} when its file was removed or replaced; nothing was stored then.
   * @throws {CommitError} when it is unknown whether the commit succeeded.
   */
  write<T>(work: () => T): T;
  /** Resolves when what was written survives what it has to; `undefined` where it does already. */
  sync(): Promise<void> | undefined;
  /** Another value whenever something else has changed the database. */
  version(): string;
  /** @throws {LogError} when its file was removed or replaced. */
  assertInPlace(): void;
  close(): void;
}

/** A prepared statement whose rows are known. Drivers say `undefined` or `null` where there is no row. */
export interface Statement<Row = unknown> {
  run(...values: SQLiteValue[]): unknown;
  get(...values: SQLiteValue[]): Row | undefined | null;
  all(...values: SQLiteValue[]): Row[];
}

/** A database as `node:sqlite` (`DatabaseSync`), `better-sqlite3` and `bun:sqlite` (`Database`) have it. */
export interface SQLiteLike {
  exec(sql: string): unknown;
  prepare(sql: string): SQLiteStatementLike;
  close(): unknown;
}

/** A prepared statement of a {@link SQLiteLike}; `?` stands for a value. */
export interface SQLiteStatementLike {
  // The values are of type SQLiteValue. TypeScript 5.9 does not infer the parameters of better-sqlite3's statements from that.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  run(...values: any[]): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  get(...values: any[]): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  all(...values: any[]): unknown[];
}

/** A value that is bound to a parameter of a statement. */
export type SQLiteValue = string | number | null | Uint8Array;
