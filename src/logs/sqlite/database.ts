// A database of a driver: a file that several processes may use at once, or one in memory.
import { LogError } from "../../base/errors.ts";
import type { Durability, SQLiteLike, SQLiteStatementLike, SqlConnection, Statement } from "./connection.ts";
import { CommitError, isFull, isLocked } from "./driver.ts";
import { OpenFiles } from "./files.ts";

/** Thrown within a transaction that may have read stale pages, which is tried once more. */
const staleRead: unique symbol = Symbol("stale read");

/** The levels of `PRAGMA synchronous`. */
const synchronousNormal = 1;
const synchronousFull = 2;

/**
 * A connection through a driver. It adds to SQLite the guarantees that a log needs of a file that others can touch: it
 * rejects a file that was removed or replaced, and it notices one that was overwritten in place.
 *
 * `work` is synchronous and transactions do not nest. A connection has one transaction at a time, so an application
 * must not leave its own open on a database that it passed to the log.
 */
export class DatabaseConnection implements SqlConnection {
  readonly name: string;
  readonly file: string | null;
  readonly isExclusive: boolean;
  readonly isEvictable = false;
  readonly #database: SQLiteLike;
  /** This log has opened it, and nothing else uses this connection. */
  readonly #isOwn: boolean;
  readonly #beginRead: SQLiteStatementLike;
  readonly #beginWrite: SQLiteStatementLike;
  readonly #commit: SQLiteStatementLike;
  readonly #rollback: SQLiteStatementLike;
  readonly #version: Statement<{ data_version: number }>;
  readonly #changes: Statement<{ changes: number }>;
  files: OpenFiles | null = null;
  /** How often the file had been written when SQLite last was made to forget its pages. */
  #forgotten = 0;

  /** @param path Of a file that was opened for this connection and is closed with it. */
  constructor(database: SQLiteLike, path?: string) {
    this.#database = database;
    this.#isOwn = path !== undefined;
    this.name = path === undefined ? "the database" : `the file ${JSON.stringify(path)}`;
    // SQLite answers with an absolute path: the process may change its folder. It is empty for a database in memory.
    const list = this.prepare<{ name: string; file: string | null }>("PRAGMA database_list").all();
    this.file = list.find(({ name }) => name === "main")?.file || null;
    this.isExclusive = this.#isOwn && this.file === null;
    this.#beginRead = database.prepare("BEGIN");
    // Takes the write lock at once: a transaction that began to read could not go on to write after another process did.
    this.#beginWrite = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
    this.#rollback = database.prepare("ROLLBACK");
    this.#version = this.prepare("PRAGMA data_version");
    this.#changes = this.prepare("SELECT total_changes() AS changes");
  }

  configure(durability: Durability): void {
    const encoding = this.#pragma("encoding");
    if (encoding !== "UTF-8") {
      throw new LogError(
        `The log cannot use ${this.name}: its encoding is ${encoding}, which orders channel names in another way; ` +
          "use a database with the encoding UTF-8",
        false,
      );
    }
    // Readers and the writer do not wait for each other. A database in memory stays as it is.
    if (this.#pragma("journal_mode") !== "wal") this.#pragma("journal_mode = WAL");
    const wanted = durability === "power" ? synchronousFull : synchronousNormal;
    // An application's setting for its own connection is raised and never lowered.
    if (this.#isOwn || Number(this.#pragma("synchronous")) < wanted) this.exec(`PRAGMA synchronous = ${wanted}`);
    // macOS keeps a write in the drive's cache after an ordinary fsync (https://sqlite.org/pragma.html#pragma_fullfsync).
    // Other systems ignore this.
    if (durability === "power") this.exec("PRAGMA fullfsync = 1; PRAGMA checkpoint_fullfsync = 1");
    // Pages that are written anyway keep no bytes of rows that have moved: the eraser finds the others.
    if (Number(this.#pragma("secure_delete")) === 0) this.#pragma("secure_delete = FAST");
    // The log waits for locks without blocking the process; this is for the moment that others need.
    if (this.#isOwn) this.exec("PRAGMA busy_timeout = 10");
    // The first read creates the WAL, which stays as long as this connection is open.
    this.prepare("SELECT 1 FROM sqlite_master LIMIT 1").get();
    if (this.file !== null) this.files = OpenFiles.of(this.file);
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  prepare<Row = unknown>(sql: string): Statement<Row> {
    return this.#database.prepare(sql) as Statement<Row>;
  }

  /**
   * A deferred transaction: in WAL mode it takes no lock that a writer waits for. The check of the files comes first,
   * because it counts the writes by which stale pages are recognized.
   */
  read<T>(work: () => T): T {
    this.assertInPlace();
    this.#forgetStalePages();
    this.#beginRead.run();
    return this.#finish(work);
  }

  /**
   * Runs `work` again when the first attempt may have read stale pages. Therefore `work` must start from the database
   * each time and leave nothing outside of it that a second run would falsify. The second attempt is not checked
   * again: checkpoints write the file too, and frequent ones could make every attempt look stale.
   */
  write<T>(work: () => T): T {
    // As late as possible: nothing is acknowledged that went into a removed file.
    const checked = (): T => {
      const result = work();
      this.assertInPlace();
      if (this.#hasStalePages) throw staleRead;
      return result;
    };
    try {
      this.#beginWrite.run();
      return this.#finish(checked);
    } catch (error) {
      if (error !== staleRead) throw error;
      this.#forgetStalePages();
      this.#beginWrite.run();
      return this.#finish(work);
    }
  }

  sync(): undefined {
    return undefined;
  }

  version(): string {
    // The version shows changes of other connections only. An application may have given this one to several logs.
    const own = this.#isOwn ? "" : this.#changes.get()?.changes;
    return `${this.#version.get()?.data_version} ${own} ${this.files?.writes}`;
  }

  assertInPlace(): void {
    this.files?.assertInPlace();
  }

  /** The contract of `Log.close`: releases only what the log has opened. The application closes its own database. */
  close(): void {
    if (this.#isOwn) this.#database.close();
  }

  /**
   * SQLite keeps pages in memory until another connection commits. It does not notice when the file itself is overwritten,
   * such as by a copy that is restored, and would mix old pages with new ones. A checkpoint writes the file too, and rarely
   * enough that forgetting its pages costs nothing.
   */
  get #hasStalePages(): boolean {
    return this.files !== null && this.files.writes !== this.#forgotten;
  }

  #forgetStalePages(): void {
    if (!this.#hasStalePages) return;
    this.#forgotten = this.files?.writes ?? 0;
    this.exec("PRAGMA shrink_memory");
  }

  /** The first column of the answer, under whatever name. `undefined` for a pragma that does not answer. */
  #pragma(name: string): unknown {
    return Object.values(this.prepare<object>(`PRAGMA ${name}`).get() ?? {})[0];
  }

  /**
   * Ends the transaction in every case: one left open would hold its lock, and the next BEGIN would fail. An error of
   * `work` means that nothing was stored; only an error of the commit can leave that open.
   */
  #finish<T>(work: () => T): T {
    let result: T;
    try {
      result = work();
    } catch (error) {
      this.#rollBack();
      throw error;
    }
    try {
      this.#commit.run();
    } catch (error) {
      this.#rollBack();
      // In both cases no commit has been written. After any other failure, such as one of fsync, the commit may be in the
      // WAL, and be found there by whoever opens the file after a crash.
      throw isLocked(error) || isFull(error) ? error : new CommitError(error);
    }
    return result;
  }

  #rollBack(): void {
    try {
      this.#rollback.run();
    } catch {
      // After some failures, such as a full disk, SQLite has rolled back automatically.
    }
  }
}
