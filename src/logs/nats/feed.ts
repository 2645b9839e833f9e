// An ordered consumer: the server pushes the entries of the stream to this process, and a lost consumer is replaced.
import { now, unrefTimeout } from "../../base/clock.ts";
import { makeEpoch } from "../../log/identity.ts";
import type { LogEntry } from "../../log/log.ts";
import type { NatsConnectionLike } from "./connection.ts";
import { Consumer } from "./consumer.ts";
import type { Observation } from "./head-reader.ts";
import type { JetStream } from "./jetstream.ts";
import { type StoredMessage, toEntry } from "./message.ts";
import type { Requests } from "./requests.ts";

/** How often the server says that it has nothing to send, in milliseconds. */
const heartbeatMs = 500;
/** A consumer that has sent nothing for this long is lost. */
const idleLimitMs = 3 * heartbeatMs;
/** How long to wait after a consumer that could not be created, in milliseconds. */
const retryMs = 250;
/** Time after which the server removes the consumer of a process that is gone. */
const inactiveMs = 30_000;

export interface FeedContext {
  readonly connection: NatsConnectionLike;
  readonly requests: Requests;
  readonly jetStream: JetStream;
  readonly stream: string;
  /** Reads the head from the leader: a consumer begins at a position that the log has. */
  observe(): Promise<Observation>;
  /** Entries that follow one another. */
  onEntries(epoch: string, entries: readonly LogEntry[]): void;
  /** Entries may have been missed, or are not those that were there before. */
  onBreak(): void;
  /** The consumer could not be created. The feed tries again. */
  onError(error: unknown): void;
}

/**
 * The consumer begins with the last message that was received, whose witness shows whether the stream is still the same.
 * It is replaced when a message is missing, when the server deletes it, and when nothing comes from it.
 */
export class Feed {
  readonly #context: FeedContext;
  /** Random, so that consumers of several processes and logs have different names. */
  readonly #id = makeEpoch();
  /** Numbers the consumers of this feed, each of which has a name and an inbox of its own. */
  #count = 0;
  /** The consumer whose messages count. `null` while none is created. */
  #consumer: Consumer | null = null;
  #isRunning = false;
  /** A consumer is being created. Several reasons to replace it may come at once, and one replacement serves all. */
  #isStarting = false;
  /** Checks for heartbeats. It stays the same for all consumers. */
  #timer: ReturnType<typeof setTimeout> | null = null;
  #retryTimer: ReturnType<typeof setTimeout> | null = null;
  /** The last message that was received. */
  #last: StoredMessage | null = null;

  constructor(context: FeedContext) {
    this.#context = context;
  }

  /** The offset up to which entries were received, `Infinity` while none are awaited. */
  get received(): number {
    return this.#isRunning ? this.last : Number.POSITIVE_INFINITY;
  }

  /** Called with the first tail. A consumer costs the server memory, and so it exists only while something listens. */
  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#restart();
  }

  /** Called with the last tail. */
  stop(): void {
    this.#isRunning = false;
    this.#last = null;
    this.#drop();
    for (const timer of [this.#timer, this.#retryTimer]) if (timer !== null) clearTimeout(timer);
    this.#timer = null;
    this.#retryTimer = null;
  }

  /** The offset of the last message, 0 before the first one. */
  get last(): number {
    return this.#last?.offset ?? 0;
  }

  /**
   * The log has lost what was received: the consumer may wait for messages that will never come.
   *
   * @param known What `last` was before the question was sent. Messages that arrived since may be newer than the answer.
   */
  check({ head, incarnation }: Observation, known: number): void {
    const consumer = this.#consumer;
    if (consumer === null || this.#isStarting) return;
    // A stream of the same name that was created again numbers its messages from 1.
    const isOther = consumer.incarnation.epoch !== incarnation.epoch;
    if (isOther || Math.min(known, this.last) > head.top) void this.#restart();
  }

  /** Replaces the consumer, after a lost connection. */
  async restart(): Promise<void> {
    if (this.#isRunning) await this.#restart();
  }

  /** One start at a time; a failed one is reported and repeated. */
  async #restart(): Promise<void> {
    if (this.#isStarting) return;
    this.#isStarting = true;
    this.#drop();
    try {
      await this.#start();
    } catch (error) {
      if (this.#isRunning) {
        this.#context.onError(error);
        this.#retry();
      }
    } finally {
      this.#isStarting = false;
    }
    this.#watch();
  }

  /** The inbox is new with each consumer: messages of the one before it, still on their way, reach nothing. */
  async #start(): Promise<void> {
    const { connection, requests, jetStream, stream, observe } = this.#context;
    const { incarnation, head } = await observe();
    if (!this.#isRunning) return;
    const last = this.#last;
    // If it is not, the tails read from the log, and the consumer only has to deliver what comes next.
    const isContinued = last !== null && last.offset <= head.top && last.offset >= head.floor.offset;
    if (!isContinued) this.#last = null;
    const name = `sourcecast-${this.#id}-${++this.#count}`;
    const consumer = new Consumer(name, incarnation, {
      onMessage: (message) => this.#receive(consumer, message),
      onLost: () => {
        if (this.#consumer === consumer) void this.#restart();
      },
    });
    const inbox = requests.inbox(`.feed.${this.#count}`);
    consumer.subscription = connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error === null) consumer.handle(message, connection);
      },
    });
    // Before the request: its first messages may arrive before the answer.
    this.#consumer = consumer;
    try {
      await jetStream.ask(`CONSUMER.CREATE.${stream}.${name}`, {
        stream_name: stream,
        action: "create",
        config: {
          name,
          deliver_subject: inbox,
          deliver_policy: "by_start_sequence",
          // From the last message on, and not after it: it is delivered once more, and its witness says whether the stream is the
          // same.
          opt_start_seq: Math.max(1, isContinued ? last.offset : head.top),
          // The log acknowledges nothing: what is missing is read from the stream, where it stays until retention.
          ack_policy: "none",
          max_deliver: 1,
          // Without it, the server would cut off a process that reads slowly, with all of its other subscriptions.
          flow_control: true,
          idle_heartbeat: heartbeatMs * 1_000_000,
          inactive_threshold: inactiveMs * 1_000_000,
          // A consumer that is lost is replaced, so a restart of the server need not keep it, nor other servers have
          // it.
          mem_storage: true,
          num_replicas: 1,
        },
      });
    } catch (error) {
      this.#drop();
      throw error;
    }
    // The tails read the entries that were appended since, and those that a lost consumer has not delivered.
    this.#context.onBreak();
  }

  /** The chain is checked here: an entry is offered only with the witness of the message before it. */
  #receive(consumer: Consumer, message: StoredMessage): void {
    if (consumer !== this.#consumer) return;
    const last = this.#last;
    this.#last = message;
    if (last?.offset === message.offset) {
      // The first one of a new consumer: the same as before?
      if (last.witness !== message.witness) this.#context.onBreak();
      return;
    }
    const { epoch, originWitness } = consumer.incarnation;
    if (message.offset === 1) this.#offer(epoch, toEntry(message, originWitness));
    else if (last !== null && last.offset === message.offset - 1) this.#offer(epoch, toEntry(message, last.witness));
    else this.#context.onBreak();
  }

  #offered: LogEntry[] = [];

  /** The messages of one chunk of the socket are handed over together. */
  #offer(epoch: string, entry: LogEntry): void {
    const consumer = this.#consumer;
    // The first one of a batch asks for the hand-over, the others join it.
    if (this.#offered.push(entry) > 1) return;
    queueMicrotask(() => {
      const entries = this.#offered;
      this.#offered = [];
      if (this.#isRunning && this.#consumer === consumer) this.#context.onEntries(epoch, entries);
      // The consumer was replaced in between. Its entries are read again rather than offered out of their order.
      else this.#context.onBreak();
    });
  }

  /** Messages that arrive from now on are ignored. */
  #drop(): void {
    const consumer = this.#consumer;
    this.#consumer = null;
    if (consumer === null) return;
    consumer.subscription?.unsubscribe();
    const { jetStream, stream } = this.#context;
    // It would be removed in a while anyway.
    jetStream.ask(`CONSUMER.DELETE.${stream}.${consumer.name}`).catch(() => {});
  }

  /** Heartbeats stop when the server is gone, when it is paused, and when the network swallows them. */
  #watch(): void {
    if (this.#timer !== null || !this.#isRunning) return;
    this.#timer = unrefTimeout(() => {
      this.#timer = null;
      const consumer = this.#consumer;
      if (consumer !== null && now() - consumer.heardAt > idleLimitMs) void this.#restart();
      this.#watch();
    }, heartbeatMs);
  }

  #retry(): void {
    if (this.#retryTimer !== null) return;
    this.#retryTimer = unrefTimeout(() => {
      this.#retryTimer = null;
      if (this.#isRunning && this.#consumer === null) void this.#restart();
    }, retryMs);
  }
}
