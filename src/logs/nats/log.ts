// The log over one connection: takes calls, and puts the parts of this folder together.
import { runDetached } from "../../base/async-context.ts";
import { LogError, SourcecastError } from "../../base/errors.ts";
import { type AppendCall, type AppendOutcome, AppendQueue } from "../../log/append-queue.ts";
import type { CompleteLog } from "../../log/complete.ts";
import { closedError } from "../../log/errors.ts";
import type { TailPage } from "../../log/follow-tail.ts";
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
import type { NatsConnectionLike } from "./connection.ts";
import { Feed } from "./feed.ts";
import { HeadReader } from "./head-reader.ts";
import { ApiError, errorCodes, JetStream } from "./jetstream.ts";
import { Locating } from "./locating.ts";
import { PageCache, readEntries } from "./pages.ts";
import { Reader } from "./reader.ts";
import { closedConnection, messageOf, Requests, UnavailableError } from "./requests.ts";
import { RetentionWorker } from "./retention.ts";
import type { StreamOptions } from "./stream-config.ts";
import { Streams } from "./streams.ts";
import { ValueStore } from "./values.ts";
import { Writer } from "./writer.ts";

/** The options of the log, checked. */
export interface NatsLogSettings extends StreamOptions {
  readonly domain: string | undefined;
  /** In milliseconds. */
  readonly appendTimeout: number;
}

/** Entries that a tail reads at once. */
const tailPageEntries = 512;

/**
 * The stream has everything, and processes share nothing else. Questions go to its leader; pages come from any server that
 * has them, and are compared with what the leader says.
 */
export class NatsLog implements CompleteLog {
  readonly capabilities: ReadonlySet<LogCapability> = new Set<LogCapability>([
    "witnesses",
    "last",
    "latestByKey",
    "locate",
    "atomicBatch",
    "conflation",
  ]);
  readonly #stream: string;
  readonly #connection: NatsConnectionLike;
  /** Fail at once while the connection is down, so that nothing waits for an answer that cannot come. */
  readonly #requests: Requests;
  readonly #jetStream: JetStream;
  readonly #streams: Streams;
  readonly #heads: HeadReader;
  /** Cleared whenever entries may have been lost: pages are trusted without asking. */
  readonly #pages: PageCache;
  readonly #reader: Reader;
  readonly #locating: Locating;
  readonly #writer: Writer;
  readonly #retention: RetentionWorker;
  readonly #feed: Feed;
  readonly #queue: AppendQueue;
  readonly #tails: TailFanout;
  /** The events of the connection, which the application shares. */
  readonly #status: AsyncIterator<{ readonly type: string }>;
  /** All calls of `close()` wait for the same end. */
  #closed: Promise<void> | null = null;

  constructor(connection: NatsConnectionLike, options: NatsLogSettings) {
    const { stream, limits, domain, appendTimeout } = options;
    this.#stream = stream;
    this.#connection = connection;
    const requests = new Requests(connection);
    const jetStream = new JetStream(requests, domain);
    const streams = new Streams(connection, jetStream, options);
    const heads = new HeadReader(jetStream, streams, stream);
    const pages = new PageCache(jetStream, stream);
    const values = new ValueStore(jetStream, stream);
    const parts = { connection, requests, jetStream, stream, streams, heads, pages, values };
    [this.#requests, this.#jetStream, this.#streams] = [requests, jetStream, streams];
    [this.#heads, this.#pages] = [heads, pages];
    this.#reader = new Reader(parts);
    this.#locating = new Locating(parts);
    this.#writer = new Writer({ ...parts, reader: this.#reader, window: limits.window });
    this.#queue = new AppendQueue({
      store: (calls) => this.#store(calls),
      deadline: appendTimeout,
      // The server recognizes a message that it has stored by its id, so repeating it after a lost answer is safe.
      canRetry: (error) => error instanceof UnavailableError,
    });
    this.#tails = new TailFanout(
      { read: (after) => this.#tailPage(after) },
      { onTail: () => this.#feed.start(), onIdle: () => this.#feed.stop() },
    );
    this.#feed = new Feed({
      ...parts,
      observe: () => heads.observe(),
      onEntries: (epoch, entries) => this.#tails.offer(epoch, entries),
      onBreak: () => this.#tails.wake(),
      onError: (error) => this.#tails.report(this.#explain(error)),
    });
    this.#retention = new RetentionWorker({
      ...parts,
      limits,
      // Retention waits for the tails of this process: a burst that is longer than the log reaches them whole.
      delivered: () => this.#feed.received,
      onError: (error) => this.#tails.report(this.#explain(error)),
    });
    // Every question to the leader also shows whether entries expire, and whether the consumer is behind the head.
    heads.onAsk = () => {
      const { last } = this.#feed;
      return (observation) => {
        this.#retention.consider(observation);
        this.#feed.check(observation, last);
      };
    };
    this.#status = connection.status()[Symbol.asyncIterator]();
    // Outside of every request: it runs as long as the log is open.
    void runDetached(() => this.#followStatus());
  }

  /** The queue, not this method, rejects after `close()`: it settles the calls that came before. */
  append(entries: readonly NewEntry[]): Promise<Appended[]> {
    return this.#queue.append(entries);
  }

  /** Asked at the leader, always: a server that lags could treat a client's position as a lost one. */
  head(): Promise<Head> {
    return this.#ask(async () => (await this.#heads.observe()).head);
  }

  /** Of retained entries. The stream keeps none of removed ones. */
  witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    return this.#ask(() => this.#reader.witnesses(offsets));
  }

  /** From shared pages: readers of other channels have mostly read the same one a moment before. */
  read(after: number, options: ReadOptions): Promise<Page> {
    return this.#ask(() => this.#reader.read(after, options));
  }

  /** Walks back from the head through the same pages. */
  last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    return this.#ask(() => this.#reader.last(count, selection));
  }

  /** From both streams: see {@link ValueStore}. */
  latestByKey(selection: ChannelSelection, options: ValueOptions): Promise<ValuePage> {
    return this.#ask(() => this.#reader.latestByKey(selection, options));
  }

  /** Called once for all clients that came in one tick. */
  locate(questions: readonly LocateQuestion[]): Promise<Located> {
    return this.#ask(() => this.#locating.locate(questions));
  }

  /** The consumer runs only while there are tails. */
  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    return this.#tails.add(after, onEntries, onError);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** The queue comes first: calls made before `close()` are settled. The connection stays open, it is the application's. */
  async #close(): Promise<void> {
    await this.#queue.close();
    this.#tails.close();
    this.#feed.stop();
    this.#retention.close();
    this.#requests.close();
    (this.#status as { stop?: () => void }).stop?.();
    void this.#status.return?.();
  }

  /** Retention looks at the limits after each batch, and not for longer than that: an idle log costs nothing. */
  async #store(calls: readonly AppendCall[]): Promise<readonly AppendOutcome[]> {
    try {
      const outcomes = await this.#writer.store(calls);
      this.#retention.touch();
      return outcomes;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** From the leader: where the tail continues, and whether it has to go back, is decided by it. */
  async #tailPage(after: number): Promise<TailPage> {
    try {
      const { incarnation, head } = await this.#heads.observe();
      // Entries that were trimmed before they could be delivered are left out: the tail sees it by the next offset.
      const from = Math.max(after, head.floor.offset);
      if (from >= head.top) return { head, entries: [] };
      const source = { jetStream: this.#jetStream, stream: this.#stream, incarnation };
      const count = Math.min(tailPageEntries, head.top - from);
      const entries = await readEntries(source, from, count, head);
      // The head was read before, and the page must be of the same state.
      return { head, entries: entries.filter(({ offset }) => offset <= head.top) };
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** Errors of the client and of JetStream become those of the contract. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    try {
      return await question();
    } catch (error) {
      if (this.#closed !== null) throw closedError();
      const explained = this.#explain(error);
      // Of a question, nothing can be stored.
      if (explained instanceof LogError && explained.stored !== false) {
        throw new LogError(explained.message, false, { cause: explained });
      }
      throw explained;
    }
  }

  /** While the client is disconnected, the log says so at once. Afterwards, nothing that was read before is relied on. */
  async #followStatus(): Promise<void> {
    try {
      for (let next = await this.#status.next(); next.done !== true; next = await this.#status.next()) {
        if (this.#closed !== null) return;
        const { type } = next.value;
        if (type === "disconnect") this.#requests.isDown = true;
        if (type === "reconnect") this.#reconnected();
        // The client has given up, or the application has closed it.
        if (type === "close") this.#requests.fail("The NATS connection was closed");
      }
    } catch {
      // The iterator ends with the connection.
    }
  }

  /** The first questions after a reconnect go to the server, whatever was read before. */
  #reconnected(): void {
    this.#requests.isDown = false;
    this.#heads.forget();
    this.#pages.clear();
    // It may be another server, or the same one with a part of what it had.
    this.#streams.invalidate();
    this.#tails.wake();
    void this.#feed.restart();
  }

  /** Errors of this package say already what happened and what to do. */
  #explain(error: unknown): unknown {
    if (error instanceof SourcecastError) return error;
    if (this.#connection.isClosed()) return closedConnection();
    if (error instanceof ApiError) return new LogError(describe(error, this.#stream), false, { cause: error });
    return new LogError(`The log failed: ${messageOf(error)}`, "unknown", { cause: error });
  }

  #assertOpen(): void {
    if (this.#closed !== null) throw closedError();
  }
}

/** The message of a rejection, with the remedy where the application has one. */
function describe({ errorCode, message }: ApiError, stream: string): string {
  switch (errorCode) {
    case errorCodes.notEnabled:
    case errorCodes.notEnabledForAccount:
      return `JetStream is not enabled: ${message}; enable it for the server and for this account`;
    case errorCodes.subjectsOverlap:
      return `Another stream has the subjects "sourcecast.${stream}.>": ${message}; pass another name as stream`;
    default:
      return `NATS rejected a request about the stream ${JSON.stringify(stream)}: ${message} (${errorCode})`;
  }
}
