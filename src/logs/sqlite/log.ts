// The log over one open database: takes calls, and puts the parts of this folder together.
import { now, setImmediateOrTimeout } from "../../base/clock.ts";
import { SourcecastError } from "../../base/errors.ts";
import type { CompleteLog } from "../../log/complete.ts";
import { closedError } from "../../log/errors.ts";
import type {
  Appended,
  ChannelSelection,
  Head,
  Located,
  LocateQuestion,
  LogCapability,
  LogEntry,
  NewEntry,
  Page,
  Position,
  ReadOptions,
  Tail,
  TailBatch,
  ValueOptions,
  ValuePage,
} from "../../log/log.ts";
import type { RetentionLimits } from "../../log/retention.ts";
import { ChangeWatch } from "./change-watch.ts";
import { LogClock } from "./clock.ts";
import type { SqlConnection } from "./connection.ts";
import { CommitError, explain, isLocked } from "./driver.ts";
import { Locating } from "./locating.ts";
import { Reader } from "./reader.ts";
import { RetentionWorker } from "./retention.ts";
import { Tails } from "./tails.ts";
import { Writer, type Written } from "./writer.ts";

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

export class SqliteLog implements CompleteLog {
  readonly capabilities: ReadonlySet<LogCapability> = new Set<LogCapability>([
    "witnesses",
    "last",
    "latestByKey",
    "locate",
    "atomicBatch",
    "conflation",
  ]);
  readonly #connection: SqlConnection;
  readonly #busyTimeout: number;
  readonly #writer: Writer;
  readonly #reader: Reader;
  readonly #locating: Locating;
  readonly #retention: RetentionWorker;
  readonly #watch: ChangeWatch;
  readonly #tails: Tails;
  #waiting: Waiting[] = [];
  /** Resolves when nothing waits. */
  #storing: Promise<void> | null = null;
  #closed: Promise<void> | null = null;

  /** @param busyTimeout How long to wait for a lock, in milliseconds. */
  constructor(connection: SqlConnection, limits: RetentionLimits, busyTimeout: number) {
    this.#connection = connection;
    this.#busyTimeout = busyTimeout;
    const clock = new LogClock();
    this.#reader = new Reader(connection);
    this.#writer = new Writer(connection, this.#reader, clock, limits.window);
    this.#locating = new Locating(connection, this.#reader);
    this.#retention = new RetentionWorker(connection, clock, limits);
    this.#tails = new Tails({
      next: (position) => this.#reader.next(position),
      explain: (error) => this.#explain(error),
      onTails: (hasTails) => (hasTails ? this.#watch.start() : this.#watch.stop()),
      onFailure: () => this.#watch.retry(),
    });
    this.#watch = new ChangeWatch(connection, {
      onChange: () => this.#tails.wake(),
      onFailure: (error) => this.#tails.report(error),
      onIdle: () => {
        // The wall clock has jumped: that is to be stored.
        if (clock.correction() !== undefined) this.#retention.touch();
      },
    });
    this.#retention.start();
  }

  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    this.#assertOpen();
    if (entries.length === 0) return [];
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entries, resolve, reject });
      this.#storing ??= this.#storeWaiting();
    });
  }

  head(): Promise<Head> {
    return this.#ask(() => this.#reader.head());
  }

  witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    return this.#ask(() => this.#reader.witnesses(offsets));
  }

  read(after: number, options: ReadOptions): Promise<Page> {
    return this.#ask(() => this.#reader.read(after, options));
  }

  last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    return this.#ask(() => this.#reader.last(count, selection));
  }

  latestByKey(selection: ChannelSelection, options: ValueOptions): Promise<ValuePage> {
    return this.#ask(() => this.#reader.values(selection, options));
  }

  locate(questions: readonly LocateQuestion[]): Promise<Located> {
    return this.#ask(() => this.#locating.locate(questions));
  }

  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    return this.#tails.add(after, onEntries, onError);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
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
      // The entries are there, and may be lost with the next crash.
      for (const { reject } of calls) reject(this.#explain(new CommitError(error)));
      this.#tails.wake();
      return;
    }
    for (const [i, { resolve, reject }] of calls.entries()) {
      const answer = written.answers[i];
      if (Array.isArray(answer)) resolve(answer);
      else reject(answer);
    }
    this.#retention.touch();
    // Publishers go on in a microtask, after the tails.
    this.#tails.committed(written);
  }

  /** `undefined` when the calls had to be stored, or rejected, one apart from the other. */
  async #write(calls: readonly Waiting[]): Promise<Written | undefined> {
    try {
      return await this.#patiently(() => this.#writer.append(calls.map(({ entries }) => entries)));
    } catch (error) {
      const isOfAll = isLocked(error) || error instanceof CommitError || error instanceof SourcecastError;
      if (calls.length === 1 || isOfAll) {
        for (const { reject } of calls) reject(this.#explain(error));
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
      throw this.#explain(error);
    }
  }

  /** Tries again while another process holds the lock, without blocking this one. */
  async #patiently<T>(work: () => T): Promise<T> {
    const deadline = now() + this.#busyTimeout;
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!isLocked(error) || now() >= deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, lockRetryMs));
    }
  }

  #explain(error: unknown): SourcecastError {
    return explain(error, this.#connection.name);
  }

  #assertOpen(): void {
    if (this.#closed !== null) throw closedError();
  }
}
