import { now, setImmediateOrTimeout } from "../../base/clock.ts";
import { quote, type SourcecastError, SourcecastTypeError } from "../../base/errors.ts";
import { type Duration, milliseconds } from "../../base/units.ts";
import { type CompleteLog, verify } from "../../log/complete.ts";
import { closedError } from "../../log/errors.ts";
import type {
  Appended,
  ChannelSelection,
  Head,
  LocateAnswer,
  Located,
  LocateQuestion,
  LogCapability,
  LogEntry,
  NewEntry,
  Page,
  Position,
  ReadOptions,
  Retention,
  Tail,
  TailBatch,
  ValueOptions,
  ValuePage,
} from "../../log/log.ts";
import { type RetentionLimits, retentionLimits } from "../../log/retention.ts";
import type { SqlConnection } from "./connection.ts";
import { DatabaseConnection, type SQLiteLike } from "./database.ts";
import { explain, isLocked, openFile } from "./driver.ts";
import { Reader } from "./reader.ts";
import { RetentionWorker } from "./retention.ts";
import { type Durability, prepareDatabase } from "./schema.ts";
import { type DurableObjectStorageLike, StorageConnection } from "./storage.ts";
import { Tails } from "./tails.ts";
import { Writer, type Written } from "./writer.ts";

export type { SQLiteValue } from "./connection.ts";
export type { SQLiteLike, SQLiteStatementLike } from "./database.ts";
export type { Durability, DurableObjectStorageLike };

/** The options of {@link sqliteLog}. Kept are 1,000,000 entries of 1 GB together, unless they say otherwise. */
export interface SqliteLogOptions extends Retention {
  /** The file; it is made when there is none. Opened with `node:sqlite`, and closed with the log. */
  path?: string;
  /**
   * In place of `path`: an open database of `node:sqlite`, `better-sqlite3` or `bun:sqlite`. It is turned to WAL and stays
   * open when the log is closed. Or the `ctx.storage` of a Durable Object, which is alone with it.
   */
  database?: SQLiteLike | DurableObjectStorageLike;
  /**
   * What an accepted event survives: `"process"` the end of the process in any way, `"power"` the loss of power too, for
   * which the disk is waited for once per tick. In a Durable Object it is `storage.sync()` that is waited for; without that
   * the runtime holds answers back until what was written is safe. @default "process"
   */
  durability?: Durability;
  /** How long to wait while another process or transaction holds the lock of the database. @default "5s" */
  busyTimeout?: Duration;
}

/**
 * The durable log of one machine: a file that several processes may use at a time. What one tick publishes is stored by one
 * transaction.
 *
 * @throws {SourcecastError} `ERR_SSE_LOG` for a database that cannot be used: locked, damaged, of a newer version.
 * @throws {SourcecastTypeError} for options with values that are not allowed.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { sqliteLog } from "sourcecast/sqlite";
 *
 * const hub = createHub({ log: sqliteLog({ path: "events.db", maxAge: "7d" }) });
 * await hub.close();
 * ```
 */
export function sqliteLog(options: SqliteLogOptions): CompleteLog {
  const { durability = "process", busyTimeout = "5s" } = options;
  if (durability !== "process" && durability !== "power") {
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      `The option durability is ${quote(durability)}; it takes "process" or "power"`,
    );
  }
  const limits = retentionLimits(options, { maxEvents: 1_000_000, maxBytes: "1gb" });
  const patience = milliseconds(busyTimeout, "busyTimeout");
  const open = opener(options);
  let connection: SqlConnection | undefined;
  try {
    connection = open();
    return new SqliteLog(connection, prepareDatabase(connection, durability, patience), limits, patience);
  } catch (error) {
    connection?.close();
    throw explain(error, connection?.name ?? `the file ${quote(options.path)}`);
  }
}

function opener({ path, database }: SqliteLogOptions): () => SqlConnection {
  if (typeof path === "string" && database === undefined) return () => new DatabaseConnection(openFile(path), path);
  if (path === undefined && database !== undefined) {
    if (isStorage(database)) return () => new StorageConnection(database);
    if (typeof database?.prepare === "function") return () => new DatabaseConnection(database);
  }
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    `sqliteLog() takes either path, the name of a file, or database, an open one; it got ${quote(path)} and ${quote(database)}`,
  );
}

function isStorage(database: SQLiteLike | DurableObjectStorageLike): database is DurableObjectStorageLike {
  return database !== null && "transactionSync" in database;
}

/** Calls that one transaction stores at most: after that it is the turn of others in the process. */
const maxCallsPerTransaction = 1_024;
/** How long to wait for a lock before it is tried again, in milliseconds. */
const lockRetryMs = 5;

/** One call of `append` that waits for its transaction. */
interface Waiting {
  readonly entries: readonly NewEntry[];
  readonly resolve: (appended: Appended[]) => void;
  readonly reject: (error: unknown) => void;
}

class SqliteLog implements CompleteLog {
  readonly capabilities: ReadonlySet<LogCapability> = new Set([
    "witnesses",
    "last",
    "latestByKey",
    "locate",
    "atomicBatch",
    "conflation",
  ]);
  readonly epoch: string;
  readonly #connection: SqlConnection;
  readonly #patience: number;
  readonly #writer: Writer;
  readonly #reader: Reader;
  readonly #retention: RetentionWorker;
  readonly #tails: Tails = new Tails(this);
  #waiting: Waiting[] = [];
  /** Resolves when nothing waits. */
  #storing: Promise<void> | null = null;
  #closed: Promise<void> | null = null;

  constructor(connection: SqlConnection, epoch: string, limits: RetentionLimits, patience: number) {
    this.epoch = epoch;
    this.#connection = connection;
    this.#patience = patience;
    this.#writer = new Writer(connection, epoch, limits.window);
    this.#reader = new Reader(connection, epoch);
    this.#retention = new RetentionWorker(connection, limits);
    this.#retention.touch();
  }

  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    this.#assertOpen();
    if (entries.length === 0) return [];
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entries, resolve, reject });
      this.#storing ??= this.#storeWaiting();
    });
  }

  async head(): Promise<Head> {
    return this.#ask(() => this.#reader.head());
  }

  async witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    return this.#ask(() => this.#reader.witnesses(offsets));
  }

  async read(after: number, options: ReadOptions): Promise<Page> {
    return this.#ask(() => this.#reader.read(after, options));
  }

  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    return this.#ask(() => this.#reader.last(count, selection));
  }

  async latestByKey(selection: ChannelSelection, options: ValueOptions): Promise<ValuePage> {
    return this.#ask(() => this.#reader.latest(selection, options));
  }

  async locate(questions: readonly LocateQuestion[]): Promise<Located> {
    return this.#ask(() => {
      const head = this.#reader.head();
      return { head, answers: questions.map((question) => this.#answerOf(question, head)) };
    });
  }

  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    return this.#tails.add(after, onEntries, onError);
  }

  #answerOf({ cursor, selection }: LocateQuestion, head: Head): LocateAnswer {
    const ends = selection.channels.flatMap((name) => this.#reader.last(1, { channels: [name], prefixes: [] }));
    const page = { limit: 1, maxBytes: 1, selection, conflate: true };
    return {
      verification: verify(cursor, head, (offset) => this.#reader.witnesses([offset])[0]),
      ends: ends.filter(({ type }) => type === "sse:end").sort((a, b) => a.offset - b.offset),
      trimmed: this.#reader.read(head.top, page).trimmed,
      hasValues: this.#reader.latest(selection, { after: 0, upTo: head.top, maxBytes: 1 }).entries.length > 0,
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  get isSole(): boolean {
    return this.#connection.isExclusive;
  }

  entriesAfter(position: number): LogEntry[] {
    return this.#reader.entriesAfter(position);
  }

  offsetOf({ epoch, offset, witness }: Position): number {
    if (epoch !== this.epoch) return 0;
    const [known] = this.#reader.witnesses([offset]);
    const { top, floor } = this.#reader.head();
    return known === witness || offset < floor.offset ? offset : Math.max(0, Math.min(offset, top) - 1);
  }

  version(): number {
    return this.#connection.version();
  }

  explain(error: unknown): SourcecastError {
    return explain(error, this.#connection.name);
  }

  async #close(): Promise<void> {
    await this.#storing;
    this.#tails.close();
    this.#retention.close();
    this.#connection.close();
  }

  /** Stores what the ticks bring, until nothing waits. */
  async #storeWaiting(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        // At the end of the tick: what is published until then shares one transaction.
        await new Promise<void>((resolve) => setImmediateOrTimeout(resolve));
        await this.#store(this.#waiting.splice(0, maxCallsPerTransaction));
      }
    } finally {
      this.#storing = null;
    }
  }

  async #store(calls: readonly Waiting[]): Promise<void> {
    const written = await this.#write(calls);
    if (written === undefined) return;
    try {
      await this.#connection.sync();
    } catch (error) {
      for (const { reject } of calls) reject(this.explain(error));
      return;
    }
    for (const [i, { resolve, reject }] of calls.entries()) {
      const answer = written.answers[i];
      if (Array.isArray(answer)) resolve(answer);
      else reject(answer);
    }
    this.#retention.touch();
    // Publishers go on in a microtask, behind the tails.
    this.#tails.committed(written.entries);
  }

  /** `undefined` when the calls had to be stored, or refused, one apart from the other. */
  async #write(calls: readonly Waiting[]): Promise<Written | undefined> {
    try {
      return await this.#patiently(() => this.#writer.append(calls.map(({ entries }) => entries)));
    } catch (error) {
      if (calls.length === 1 || isLocked(error)) {
        for (const { reject } of calls) reject(this.explain(error));
        return undefined;
      }
      // One call that cannot be stored, for its size perhaps, must not take the others with it.
      const half = calls.length >> 1;
      await this.#store(calls.slice(0, half));
      await this.#store(calls.slice(half));
      return undefined;
    }
  }

  async #ask<T>(question: () => T): Promise<T> {
    this.#assertOpen();
    this.#retention.touch();
    try {
      return await this.#patiently(question);
    } catch (error) {
      throw this.explain(error);
    }
  }

  /** Tries again while another process holds the lock, without holding up this one. */
  async #patiently<T>(work: () => T): Promise<T> {
    const deadline = now() + this.#patience;
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!isLocked(error) || now() >= deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, lockRetryMs));
    }
  }

  #assertOpen(): void {
    if (this.#closed !== null) throw closedError();
  }
}
