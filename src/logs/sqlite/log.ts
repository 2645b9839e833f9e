// The log over one open database: takes calls, and puts the parts of this folder together.
import { runDetached } from "../../base/async-context.ts";
import { now } from "../../base/clock.ts";
import { SourcecastError } from "../../base/errors.ts";
import { type AppendCall, type AppendOutcome, AppendQueue } from "../../log/append-queue.ts";
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
import { TailFanout } from "../../log/tail-fanout.ts";
import { ChangeWatch } from "./change-watch.ts";
import { LogClock } from "./clock.ts";
import type { SqlConnection } from "./connection.ts";
import { CommitError, explain, isLocked } from "./driver.ts";
import { Locating } from "./locating.ts";
import { Reader } from "./reader.ts";
import { RetentionWorker } from "./retention.ts";
import { Writer, type Written } from "./writer.ts";

/** How long to wait for a lock before it is tried again, in milliseconds. */
const lockRetryMs = 5;
/**
 * How long a call may wait on top of `busyTimeout`, in milliseconds: for the calls before it, and for a process that is too
 * busy to store anything.
 */
const queueTimeoutMs = 60_000;

/**
 * All work is synchronous SQL on one connection, so two methods never interleave within a transaction. Methods are
 * asynchronous for their contract, and for the wait for a lock of another process.
 *
 * Offsets and witnesses live in the file alone. Processes share nothing else, and any of them may end at any time.
 */
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
  readonly #queue: AppendQueue;
  readonly #tails: TailFanout;
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
    this.#queue = new AppendQueue({ store: (calls) => this.#store(calls), deadline: busyTimeout + queueTimeoutMs });
    // The watch wakes the tails, so they need not poll.
    this.#tails = new TailFanout({ read: (after) => this.#attempt(() => this.#reader.next(after)) }, { poll: false });
    this.#watch = new ChangeWatch(connection, {
      onChange: () => this.#tails.wake(),
      onFailure: (error) => this.#tails.report(this.#explain(error)),
      onIdle: () => {
        // The wall clock has jumped: that is to be stored.
        if (clock.correction() !== undefined) this.#retention.touch();
      },
    });
    this.#retention.start();
  }

  /** The queue, not this method, rejects after `close()`: it settles the calls that came before. */
  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    return this.#queue.append(entries);
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

  /** The watch costs a file watch and a timer, so it runs only while there are tails. */
  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    // A tail is shared by connections, and outlives the request in which it begins.
    const tail = runDetached(() => this.#tails.add(after, onEntries, onError));
    this.#watch.start();
    return {
      close: () => {
        tail.close();
        if (this.#tails.size === 0) this.#watch.stop();
      },
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /**
   * The queue comes first: calls made before `close()` are settled, which needs the connection. The connection comes
   * last, after everything that could still use it.
   */
  async #close(): Promise<void> {
    await this.#queue.close();
    this.#tails.close();
    this.#watch.stop();
    this.#retention.close();
    this.#connection.close();
  }

  /** Without a promise where there is nothing to wait for, which is nearly always. */
  #store(calls: readonly AppendCall[]): readonly AppendOutcome[] | Promise<readonly AppendOutcome[]> {
    try {
      const written = this.#writer.append(calls);
      const syncing = this.#connection.sync();
      return syncing === undefined ? this.#finish(written) : this.#sync(written, syncing).catch(this.#failAll(calls));
    } catch (error) {
      if (!isLocked(error)) return this.#failAll(calls)(error);
      // The queue waits for this promise, so no later call can overtake these calls.
      return this.#patiently(() => this.#writer.append(calls))
        .then(async (written) => this.#sync(written, this.#connection.sync()))
        .catch(this.#failAll(calls));
    }
  }

  /** Offers the entries to the tails only once the disk has confirmed them. A read may return them before that. */
  async #sync(written: Written, syncing: Promise<void> | undefined): Promise<readonly AppendOutcome[]> {
    try {
      await syncing;
    } catch (error) {
      // The entries are there, and may be lost with the next crash.
      this.#tails.wake();
      throw new CommitError(error);
    }
    return this.#finish(written);
  }

  #finish({ epoch, answers, entries }: Written): readonly AppendOutcome[] {
    this.#retention.touch();
    // Before the publishers are told: they go on after the tails.
    this.#tails.offer(epoch, entries);
    return answers;
  }

  /** The outcome of calls that one transaction was to store. */
  #failAll(calls: readonly AppendCall[]): (error: unknown) => readonly AppendOutcome[] {
    return (error) => {
      const explained = this.#explain(error);
      // A call that cannot be stored, for its size perhaps, must not take the others with it: the queue stores them apart.
      // Any other failure is that of all.
      const isOfAll = isLocked(error) || error instanceof CommitError || error instanceof SourcecastError;
      if (!isOfAll) throw explained;
      return calls.map(() => explained);
    };
  }

  /**
   * A question also gives retention a chance to run. In a Durable Object nothing else does so while nothing is
   * published, because no timer may wait there for the next entry to expire.
   */
  async #ask<T>(question: () => T): Promise<T> {
    this.#assertOpen();
    this.#retention.touch();
    return this.#attempt(question);
  }

  /** A promise only while another process holds a lock. `work` runs again from the start, so it must not keep results. */
  #attempt<T>(work: () => T): T | Promise<T> {
    try {
      return work();
    } catch (error) {
      if (!isLocked(error)) throw this.#explain(error);
      return this.#patiently(work).catch((failure) => {
        throw this.#explain(failure);
      });
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
