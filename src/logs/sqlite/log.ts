// The log over one open database: takes calls, and puts the parts of this folder together.
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
import { TailFanout } from "../../log/tail-fanout.ts";
import { ChangeWatch } from "./change-watch.ts";
import { clearChannel } from "./clear.ts";
import { CommitError, explain, isLocked } from "./driver.ts";
import { LostFileError } from "./files.ts";
import type { Session } from "./session.ts";
import type { SqliteLogSettings } from "./settings.ts";
import type { Written } from "./writer.ts";

/** How long to wait for a lock before it is tried again, in milliseconds. */
const lockRetryMs = 5;
/**
 * How long a call may wait on top of `busyTimeout`, in milliseconds: for the calls before it, and for a process that is too
 * busy to store anything.
 */
const queueTimeoutMs = 60_000;

const capabilities = ["witnesses", "last", "latestByKey", "locate", "atomicBatch", "conflation"] as const;

/**
 * All work is synchronous SQL on one connection, so two methods never interleave within a transaction. Methods are
 * asynchronous for their contract, and for the wait for a lock of another process.
 *
 * Offsets and witnesses live in the file alone. Processes share nothing else, and any of them may end at any time.
 */
export class SqliteLog implements CompleteLog {
  readonly capabilities: ReadonlySet<LogCapability>;
  /** Absent in a Durable Object: the platform keeps older states of its storage for some weeks. */
  readonly clear?: (channel: string) => Promise<Appended | null>;
  readonly #settings: SqliteLogSettings;
  readonly #queue: AppendQueue;
  readonly #tails: TailFanout;
  #session: Session;
  #watch: ChangeWatch;
  /** The reason why no call can succeed at present: the file is lost, and no other has taken its place. */
  #loss: SourcecastError | null = null;
  /** The session was closed, to make room for the next. */
  #isSessionOver = false;
  #closed: Promise<void> | null = null;

  constructor(session: Session, settings: SqliteLogSettings) {
    this.#settings = settings;
    this.#queue = new AppendQueue({
      store: (calls) => this.#store(calls),
      deadline: settings.busyTimeout + queueTimeoutMs,
    });
    // The watch wakes the tails, so they need not poll.
    const read = (after: number) => this.#attempt(({ reader }) => reader.next(after));
    this.#tails = new TailFanout(
      { read },
      { poll: false, onTail: () => this.#watch.start(), onIdle: () => this.#watch.stop() },
    );
    this.#session = session;
    this.#watch = this.#watchOver(session);
    const isErasable = session.eraser !== null;
    this.capabilities = new Set<LogCapability>([...capabilities, ...(isErasable ? (["clear"] as const) : [])]);
    if (!isErasable) return;
    this.clear = async (channel) => {
      this.#assertOpen();
      const finish = (epoch: string, entry: LogEntry) => this.#finish({ epoch, answers: [], entries: [entry] });
      return clearChannel(channel, {
        attempt: (work) => this.#attempt(work),
        finish,
        busyTimeout: settings.busyTimeout,
      });
    };
  }

  /** The queue, not this method, rejects after `close()`: it settles the calls that came before. */
  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    return this.#queue.append(entries);
  }

  head(): Promise<Head> {
    return this.#ask(({ reader }) => reader.head());
  }

  witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    return this.#ask(({ reader }) => reader.witnesses(offsets));
  }

  read(after: number, options: ReadOptions): Promise<Page> {
    return this.#ask(({ reader }) => reader.read(after, options));
  }

  last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    return this.#ask(({ reader }) => reader.last(count, selection));
  }

  latestByKey(selection: ChannelSelection, options: ValueOptions): Promise<ValuePage> {
    return this.#ask(({ reader }) => reader.values(selection, options));
  }

  locate(questions: readonly LocateQuestion[]): Promise<Located> {
    return this.#ask(({ locating }) => locating.locate(questions));
  }

  /** The watch costs a file watch and a timer, so it runs only while there are tails. */
  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    return this.#tails.add(after, onEntries, onError);
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
    if (!this.#isSessionOver) this.#session.close();
  }

  /** Without a promise where there is nothing to wait for, which is nearly always. */
  #store(calls: readonly AppendCall[]): readonly AppendOutcome[] | Promise<readonly AppendOutcome[]> {
    const append = ({ writer }: Session): Written => writer.append(calls);
    try {
      const session = this.#present();
      const written = append(session);
      const syncing = session.connection.sync();
      return syncing === undefined ? this.#finish(written) : this.#sync(written, syncing).catch(this.#failAll(calls));
    } catch (error) {
      if (!isLocked(error)) return this.#failAll(calls)(error);
      // The queue waits for this promise, so no later call can overtake these calls.
      return this.#patiently(append)
        .then(async (written) => this.#sync(written, this.#session.connection.sync()))
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
    this.#session.retention.touch();
    // Before the publishers are told: they continue after the tails.
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
  async #ask<T>(question: (session: Session) => T): Promise<T> {
    this.#assertOpen();
    this.#session.retention.touch();
    return this.#attempt(question);
  }

  /** A promise only while another process holds a lock. `work` runs again from the start, so it must not keep results. */
  #attempt<T>(work: (session: Session) => T): T | Promise<T> {
    try {
      return work(this.#present());
    } catch (error) {
      if (!isLocked(error)) throw this.#explain(error);
      return this.#patiently(work).catch((failure) => {
        throw this.#explain(failure);
      });
    }
  }

  /** Tries again while another process holds the lock, without blocking this one. */
  async #patiently<T>(work: (session: Session) => T): Promise<T> {
    const deadline = now() + this.#settings.busyTimeout;
    for (;;) {
      try {
        return work(this.#present());
      } catch (error) {
        if (!isLocked(error) || now() >= deadline) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, lockRetryMs));
    }
  }

  #explain(error: unknown): SourcecastError {
    if (error instanceof LostFileError) this.#loss = error;
    return explain(error, this.#session.connection.name);
  }

  #watchOver({ connection, clock, retention }: Session): ChangeWatch {
    return new ChangeWatch(connection, {
      onChange: () => this.#tails.wake(),
      onFailure: (error) => {
        const explained = this.#explain(error);
        // The tails notice for themselves what has become of the log.
        if (!this.#tryRecover()) this.#tails.report(explained);
      },
      onIdle: () => {
        // The wall clock has jumped: that is to be stored.
        if (clock.correction() !== undefined) retention.touch();
      },
    });
  }

  /** @throws {LogError} while the file is lost. */
  #present(): Session {
    if (this.#loss !== null && !this.#tryRecover()) throw this.#loss;
    return this.#session;
  }

  /**
   * Continues after the file was lost: with the same file if it has been put back, otherwise with the one in its place.
   * As for a copy that is restored in place, epoch and witnesses tell tails and clients what has become of their
   * positions.
   */
  #tryRecover(): boolean {
    const { files, file } = this.#session.connection;
    const { reopen } = this.#settings;
    if (files === null || file === null) return false;
    if (!this.#isSessionOver && files.areInPlace()) {
      this.#loss = null;
      return true;
    }
    if (reopen === undefined || !files.areReplaced()) return false;
    try {
      if (!this.#isSessionOver) {
        this.#isSessionOver = true;
        this.#session.close();
      }
      files.removeLeftovers();
      this.#resume(reopen(file));
      return true;
    } catch (error) {
      // Such as for a copy that is damaged, or locked: tried again with the next call.
      this.#loss = this.#explain(error);
      return false;
    }
  }

  #resume(session: Session): void {
    this.#watch.stop();
    this.#session = session;
    this.#isSessionOver = false;
    this.#loss = null;
    this.#watch = this.#watchOver(session);
    if (this.#tails.size > 0) this.#watch.start();
  }

  #assertOpen(): void {
    if (this.#closed !== null) throw closedError();
  }
}
