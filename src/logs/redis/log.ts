// The log over one client: takes calls, and puts the parts of this folder together.
import { runDetached } from "../../base/async-context.ts";
import { type AppendCall, type AppendOutcome, AppendQueue } from "../../log/append-queue.ts";
import { isClearEntry } from "../../log/cleared.ts";
import type { CompleteLog } from "../../log/complete.ts";
import { closedError } from "../../log/errors.ts";
import type { TailPage } from "../../log/follow-tail.ts";
import { makeEpoch } from "../../log/identity.ts";
import { LocateQueue } from "../../log/locate-queue.ts";
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
import { clearChannel } from "./clear.ts";
import type { Connect } from "./client.ts";
import { Commands } from "./commands.ts";
import { canRetry } from "./errors.ts";
import { entriesKey, keysOf } from "./keys.ts";
import { Locating } from "./locating.ts";
import { Reader } from "./reader.ts";
import { RetentionWorker } from "./retention.ts";
import { leaveLog, sharedOptions, startLog } from "./start.ts";
import { StreamTail } from "./stream-tail.ts";
import { Writer } from "./writer.ts";

/** How often an idle tail asks the primary whether the log is still what it has delivered. */
const tailPollMs = 1_000;

/** The settings of a {@link RedisLog}, checked. */
export interface RedisLogSettings {
  /** Opens a connection with the configuration of the application's client. */
  readonly connect: Connect;
  /** The option `key`, for errors. */
  readonly key: string;
  /** The retention, as numbers. */
  readonly limits: RetentionLimits;
  /** How many replicas must have an entry before it counts as stored. */
  readonly replicas: number;
  /** Time after which an append is given up, in milliseconds. */
  readonly appendTimeout: number;
}

/**
 * Offsets, witnesses and times live in Redis alone. Processes share nothing else, and any of them may end at any time.
 *
 * An append goes through the queue of the kit, which repeats calls without an answer, and through one script. Its
 * entries come back to the tails of this process as to those of all others: through the stream.
 */
export class RedisLog implements CompleteLog {
  readonly capabilities: ReadonlySet<LogCapability> = new Set<LogCapability>([
    "witnesses",
    "last",
    "latestByKey",
    "locate",
    "atomicBatch",
    "conflation",
    "clear",
  ]);
  readonly #settings: RedisLogSettings;
  readonly #commands: Commands;
  /** With `durability: "replicas"`, appends have a connection of their own: `WAIT` would keep readers waiting. */
  readonly #appends: Commands;
  /** The name under which this log is registered as a user of the keys. */
  readonly #member = makeEpoch();
  readonly #options: string;
  readonly #writer: Writer;
  readonly #reader: Reader;
  readonly #locating: Locating;
  readonly #questions: LocateQueue;
  readonly #retention: RetentionWorker;
  readonly #queue: AppendQueue;
  readonly #tails: TailFanout;
  /** Wakes the tails, and saves them a question for each new entry. */
  readonly #stream: StreamTail;
  /** As the newest page had them: the stream itself does not know its epoch. */
  #epoch = "";
  #top = 0;
  /** Tails are being brought to the newest entry, since a channel was cleared. */
  #catchingUp: Promise<void> | null = null;
  #started: Promise<void> | null = null;
  /** The start is over, so an append need not wait for it. */
  #isStarted = false;
  #closed: Promise<void> | null = null;

  constructor(settings: RedisLogSettings) {
    const { connect, key, limits, replicas, appendTimeout } = settings;
    const keys = keysOf(key);
    this.#settings = settings;
    this.#options = sharedOptions(limits);
    this.#commands = new Commands(connect, keys);
    this.#appends = replicas === 0 ? this.#commands : new Commands(connect, keys);
    this.#writer = new Writer(this.#appends, limits.window, replicas, {
      onStored: (top) => {
        this.#reader.pages.noteTop(top);
        this.#retention.touch();
      },
      // The next start checks all rights, and completes what a script could not.
      onUnfinished: () => {
        [this.#started, this.#isStarted] = [null, false];
      },
    });
    this.#reader = new Reader(this.#commands, () => this.#catchUp());
    this.#locating = new Locating(this.#commands, (clears) => this.#reader.noteClears(clears));
    this.#questions = new LocateQueue((questions) => this.#locating.locate(questions));
    this.#retention = new RetentionWorker(this.#commands, this.#member, this.#options, limits);
    this.#queue = new AppendQueue({ store: (calls) => this.#store(calls), canRetry, deadline: appendTimeout });
    this.#tails = new TailFanout(
      { read: (after) => this.#nextPage(after) },
      { poll: tailPollMs, onIdle: () => this.#stream.stop() },
    );
    this.#stream = new StreamTail({
      connect,
      key: entriesKey(keys),
      onEntries: (entries) => this.#offer(entries),
      onConnect: () => this.#tails.wake(),
      onError: (error) => this.#tails.report(error),
    });
  }

  /** The queue, not this method, rejects after `close()`: it settles the calls that came before. */
  append(entries: readonly NewEntry[]): Promise<Appended[]> {
    return this.#queue.append(entries);
  }

  /** From the primary: a replica refuses the script. */
  head(): Promise<Head> {
    return this.#ask(() => this.#reader.head());
  }

  witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    return this.#ask(() => this.#locating.witnesses(offsets));
  }

  /** Above the floor, from pages that all readers of this process share. */
  read(after: number, options: ReadOptions): Promise<Page> {
    return this.#ask(() => this.#reader.read(after, options));
  }

  /** Reads back from the newest entry, since there is no index by channel. */
  last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    return this.#ask(() => this.#reader.last(count, selection));
  }

  /** Through an index of all keys, which has those of trimmed entries, too. */
  latestByKey(selection: ChannelSelection, options: ValueOptions): Promise<ValuePage> {
    return this.#ask(() => this.#reader.latestByKey(selection, options));
  }

  /** Questions of the same time share a round trip, and so do equal ones of different clients. */
  locate(questions: readonly LocateQuestion[]): Promise<Located> {
    return this.#ask(async () => {
      const located = await this.#questions.locate(questions);
      await this.#catchingUp;
      return located;
    });
  }

  /**
   * Other processes forget their pages when their tails deliver the entry that records the clearing, or before that with
   * the next answer of the server: it says how many channels were cleared.
   */
  clear(channel: string): Promise<Appended | null> {
    return this.#ask(async () => {
      const appended = await clearChannel(channel, this.#commands);
      this.#reader.pages.clear();
      if (appended !== null) this.#reader.pages.noteTop(appended.offset);
      return appended;
    });
  }

  /** The connection that waits for entries is open only while there are tails. */
  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    return this.#tails.add(after, onEntries, onError);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** The queue comes first: calls made before `close()` are settled, while the tails can still deliver them. */
  async #close(): Promise<void> {
    await this.#queue.close();
    this.#tails.close();
    this.#stream.stop();
    this.#retention.close();
    if (this.#started !== null) await leaveLog(this.#commands, this.#member);
    this.#reader.pages.clear();
    this.#appends.close();
    this.#commands.close();
  }

  /** Appends are stored also while nothing has started yet: the first one starts the log. */
  #store(calls: readonly AppendCall[]): Promise<readonly AppendOutcome[]> {
    return this.#isStarted ? this.#writer.append(calls) : this.#start().then(() => this.#writer.append(calls));
  }

  /** Every question waits for the start, which is over after the first one. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    await this.#start();
    return question();
  }

  /** After a failure, the next call tries again: a wrong key or a missing permission may be corrected while this runs. */
  #start(): Promise<void> {
    this.#started ??= runDetached(() => this.#open()).catch((error) => {
      this.#started = null;
      throw error;
    });
    return this.#started;
  }

  /** The first trim also tells other processes that this one uses the log. */
  async #open(): Promise<void> {
    await startLog(this.#commands, this.#settings.key, this.#member, this.#options);
    this.#isStarted = true;
    this.#retention.touch();
  }

  /** The page that a tail asks for also says where the stream is to be read from. */
  async #nextPage(after: number): Promise<TailPage> {
    await this.#start();
    const known = this.#stream.position;
    const page = await this.#reader.pageAfter(after);
    // Entries that the stream has delivered in the meantime are newer than this page.
    if (this.#stream.position !== known) return page;
    const { epoch, top, witness } = page.head;
    // The log was cut or replaced, or a channel was cleared: pages of before must not reach readers.
    if (epoch !== this.#epoch || top < this.#top || page.entries.some(isClearEntry)) this.#reader.pages.clear();
    [this.#epoch, this.#top] = [epoch, top];
    this.#reader.pages.noteTop(top);
    this.#stream.moveTo(top, witness);
    if (this.#tails.size > 0) this.#stream.start();
    return page;
  }

  /**
   * A channel was cleared, and tails may not know it yet: what they have delivered is kept by hubs in memory. Clients that
   * ask where they are wait until tails have delivered the entry that records the clearing, or until the server fails.
   */
  #catchUp(): void {
    if (this.#tails.size === 0) return;
    const deliver = async (): Promise<void> => {
      let upTo = Number.POSITIVE_INFINITY;
      // Not to the newest entry of all: others may append faster than this reads.
      for (let after = this.#top; after < upTo; ) {
        const { head, entries } = await this.#nextPage(after);
        if (entries.length === 0) return;
        this.#tails.offer(head.epoch, entries);
        after = (entries.at(-1) as LogEntry).offset;
        upTo = Math.min(upTo, head.top);
      }
    };
    const catchingUp = deliver()
      .catch(() => this.#tails.wake())
      .finally(() => {
        if (this.#catchingUp === catchingUp) this.#catchingUp = null;
      });
    this.#catchingUp = catchingUp;
  }

  /** Entries that the stream has brought. A tail that they do not continue asks for a page. */
  #offer(entries: readonly LogEntry[]): void {
    const { offset } = entries.at(-1) as LogEntry;
    this.#top = Math.max(this.#top, offset);
    if (entries.some(isClearEntry)) this.#reader.pages.clear();
    this.#reader.pages.noteTop(offset);
    // The epoch is that of the last page. In another one, the first entry would not continue what the tails have.
    this.#tails.offer(this.#epoch, entries);
  }

  #assertOpen(): void {
    if (this.#closed !== null) throw closedError();
  }
}
