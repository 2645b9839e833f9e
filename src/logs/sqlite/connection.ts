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

export type SQLiteValue = string | number | null;

/** A prepared statement whose rows are known. Drivers say `undefined` or `null` where there is no row. */
export interface Statement<Row = unknown> {
  run(...values: SQLiteValue[]): unknown;
  get(...values: SQLiteValue[]): Row | undefined | null;
  all(...values: SQLiteValue[]): Row[];
}

/** One open database: transactions, and what it is called in messages. */
export class Connection {
  /** `the file "events.db"`, or `the database`. */
  readonly name: string;
  readonly #database: SQLiteLike;
  readonly #isOwn: boolean;
  readonly #beginRead: SQLiteStatementLike;
  readonly #beginWrite: SQLiteStatementLike;
  readonly #commit: SQLiteStatementLike;
  readonly #rollback: SQLiteStatementLike;

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
  }

  /** True for a connection that nobody else uses. */
  get isOwn(): boolean {
    return this.#isOwn;
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  prepare<Row = unknown>(sql: string): Statement<Row> {
    return this.#database.prepare(sql) as Statement<Row>;
  }

  /** Value of a pragma. */
  pragma(name: string): unknown {
    return Object.values(this.prepare<object>(`PRAGMA ${name}`).get() ?? {})[0];
  }

  /** Reads from one state of the database, whatever other processes do meanwhile. */
  read<T>(work: () => T): T {
    return this.#transact(this.#beginRead, work);
  }

  /** Writes all or nothing. */
  write<T>(work: () => T): T {
    return this.#transact(this.#beginWrite, work);
  }

  close(): void {
    if (this.#isOwn) this.#database.close();
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
