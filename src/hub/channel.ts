// A channel of a hub: the handle that applications publish, read and end it with.
import { checkOptions, optionError } from "../base/options.ts";
import type { RequestLike } from "../http/request.ts";
import type { Pipeable, PipeResult } from "../source/pipe.ts";
import { formatCursor } from "../wire/cursor.ts";
import type { DispatchArguments, EventData, EventMap, EventType } from "../wire/event-types.ts";
import type { ChannelContext } from "./channel-context.ts";
import { type ChannelPipeOptions, channelPipeChecks, pipeToChannel } from "./channel-pipe.ts";
import { eventChecks, publishChecks, subscribeChecks, transactionChecks } from "./option-checks.ts";
import type {
  ChannelOptions,
  PublishOptions,
  SubscribeOptions,
  TransactionOptions,
  WithinTransaction,
} from "./options.ts";
import type { Member } from "./presence.ts";
import type { PublishedEvent } from "./publish.ts";
import { ChannelIterator, checkListener, checkReadOptions, type ReadOptions } from "./reader/channel-iterator.ts";
import { listen } from "./reader/listen.ts";
import type { ReadEvent } from "./reader/read-event.ts";
import { assertChannelName } from "./selection.ts";

/** One event of several that {@link Channel.dispatchAll} publishes together. */
export type EventOf<E extends EventMap> = {
  [T in EventType<E>]: (undefined extends EventData<E, T>
    ? { type: T; data?: EventData<E, T> }
    : { type: T; data: EventData<E, T> }) &
    PublishOptions;
}[EventType<E>];

/**
 * A channel of a hub. Its events reach every subscription on every machine that shares the log. Creating one costs nothing:
 * it is a name.
 */
export class Channel<E extends EventMap = false> {
  /** The name of the channel. */
  readonly name: string;
  readonly #context: ChannelContext;
  readonly #options: ChannelOptions;

  /** @internal Use `hub.channel()`. */
  constructor(name: string, context: ChannelContext, options: ChannelOptions = {}) {
    this.name = name;
    this.#context = context;
    this.#options = options;
  }

  /**
   * Publishes an event.
   *
   * @returns Its cursor, once the log has accepted it.
   * @throws {SourcecastError} `ERR_SSE_CONFLICT` if `after` does not hold, `ERR_SSE_LOG` if the log cannot store the event,
   * `ERR_SSE_LIMIT` for data over the limit `eventSize`, `ERR_SSE_CONTRACT`, `ERR_SSE_DATA` or `ERR_SSE_TYPE` for an invalid
   * event.
   */
  dispatch<T extends EventType<E>>(type: T, ...rest: DispatchArguments<E, T, PublishOptions>): Promise<string>;
  /**
   * Publishes an event within a transaction of the application, on a log that supports that. The event is published if the
   * transaction commits, and only then.
   *
   * @returns `undefined`, since the event has no cursor before the commit.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for `after`, a client without a transaction, or a log without transactions.
   */
  dispatch<T extends EventType<E>>(type: T, data: EventData<E, T>, options: TransactionOptions): Promise<undefined>;
  async dispatch(
    type: string,
    data?: unknown,
    options?: PublishOptions | TransactionOptions,
  ): Promise<string | undefined> {
    if (typeof options === "object" && options !== null && "transaction" in options) {
      const { transaction, ...rest } = options;
      checkOptions(rest, publishChecks, "dispatch()");
      assertNoAfter([rest]);
      return this.#publishIn({ transaction }, [{ ...rest, type, data }]);
    }
    checkOptions(options, publishChecks, "dispatch()");
    const cursors = await this.#publish([{ ...options, type, data }]);
    return cursors[0];
  }

  /**
   * Publishes several events next to each other: all of them or none.
   *
   * @returns The cursor of each event, once the log has accepted all of them.
   * @throws {SourcecastError} As {@link Channel.dispatch} does, and `ERR_SSE_OPTION` for anything but a list.
   */
  dispatchAll(events: readonly EventOf<E>[]): Promise<string[]>;
  /** Publishes several events next to each other, within a transaction of the application: see {@link Channel.dispatch}. */
  dispatchAll(events: readonly EventOf<E>[], options: WithinTransaction): Promise<undefined>;
  async dispatchAll(events: readonly EventOf<E>[], options?: WithinTransaction): Promise<string[] | undefined> {
    if (!Array.isArray(events)) throw optionError("events", events, "a list of events");
    for (const event of events) checkEvent(event);
    if (options === undefined) return this.#publish(events as readonly PublishedEvent[]);
    assertNoAfter(events as readonly PublishedEvent[]);
    return this.#publishIn(options, events as readonly PublishedEvent[]);
  }

  /** Publishes data as an event of the type `message`. */
  dispatchMessage(...rest: DispatchArguments<E, "message", PublishOptions>): Promise<string> {
    return this.dispatch("message" as EventType<E>, ...(rest as never));
  }

  /** Answers a request with the stream of this channel. A name that ends in `*` stands for every channel with that prefix. */
  async response(request: RequestLike, options: Omit<SubscribeOptions, "channels"> = {}): Promise<Response> {
    checkOptions(options, responseChecks, "channel.response()");
    return this.#context.response(request, { ...this.#options, ...options, channels: [this.name] });
  }

  /**
   * Ends the channel. Subscribers receive `sse:end`; a client that reconnects afterwards gets 204. An event that is published
   * after the end opens the channel again.
   *
   * @returns The cursor of the end marker.
   */
  async end(): Promise<string> {
    assertChannelName(this.name);
    return this.#context.end(this.name);
  }

  /**
   * Publishes one event for each piece of a producer, then ends the channel. The stream survives a reload of the page, and
   * many clients can read it; the producer continues when a reader disconnects.
   *
   * @returns How the pipe ended: `"closed"` with the reason `"unsubscribed"`, or `"closed"` when the hub is closed. It does
   * not reject when the producer fails.
   * @throws {SourcecastTypeError} `ERR_SSE_PIPE` for a value that cannot be piped.
   * @example
   * ```ts
   * import { createHub } from "sourcecast";
   *
   * const hub = createHub();
   * async function* words() {
   *   yield* ["Once ", "upon ", "a ", "time"];
   * }
   * const result = await hub.channel("story:1").pipe(words(), { type: "token" });
   * console.log(result.ended); // done
   * await hub.close();
   * ```
   */
  async pipe<T>(pieces: Pipeable<T>, options: ChannelPipeOptions<T> = {}): Promise<PipeResult> {
    assertChannelName(this.name);
    checkOptions(options, channelPipeChecks, "pipe()");
    const { subscribers, closing } = this.#context;
    const publish = (type: string, data: unknown) => this.#publish([{ type, data }]);
    const result = await pipeToChannel(pieces, { name: this.name, subscribers, closing, publish }, options);
    if (options.endChannel !== false && result.ended === "done") await this.end();
    return result;
  }

  /**
   * The users that are present on any machine, each once, in the order in which they joined. The events `join` and `leave`
   * on the channel report changes.
   *
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` on a hub without the option `presence`.
   * @example
   * ```ts
   * import { createHub } from "sourcecast";
   * import { presence } from "sourcecast/presence";
   *
   * const hub = createHub({ presence: presence() });
   * const room = hub.channel("room");
   * const response = await room.response(new Request("http://localhost/room"), { member: { id: "ada" } });
   * console.log(await room.members()); // [ { id: 'ada', since: … } ]
   * await hub.close();
   * ```
   */
  async members(): Promise<Member[]> {
    assertChannelName(this.name);
    return this.#context.members(this.name);
  }

  async #publishIn(options: WithinTransaction, events: readonly PublishedEvent[]): Promise<undefined> {
    assertChannelName(this.name);
    checkOptions(options, transactionChecks, "dispatch()");
    const { transaction } = options;
    if (transaction === undefined) transactionChecks.transaction(transaction, "transaction");
    return this.#context.publishIn(transaction, this.name, events);
  }

  /**
   * Reads the channel in this process: yields each event with its cursor, waits for the next one, and ends when the
   * channel ends. It holds a position and no queue, so a consumer may be as slow as it likes. All readers of a process
   * share its one tail. A loss is yielded as an event of the kind `gap` or `reset`. Reading keeps the process alive
   * while it waits. With a prefix, it yields the end of each channel and continues.
   *
   * From the `"start"`, it does not yield events that the log retains only as the latest value of their key.
   *
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option. The iteration rejects with the error of a log that fails;
   * the next call of `next()` tries again. It rejects with `ERR_SSE_CLOSED` when the hub is closed.
   * @example
   * ```ts
   * import { createHub } from "sourcecast";
   *
   * const hub = createHub();
   * const story = hub.channel("story:1");
   * for (const word of ["Once", "upon"]) await story.dispatch("word", word);
   * await story.end();
   * for await (const event of story.read({ from: "start" })) console.log(event.data);
   * // Once
   * // upon
   * await hub.close();
   * ```
   */
  read(options: ReadOptions = {}): AsyncIterableIterator<ReadEvent<E>, undefined> & AsyncDisposable {
    checkReadOptions(options, "channel.read()");
    const iterator = new ChannelIterator(this.#context.readTarget(this.name), options, true);
    return iterator as AsyncIterableIterator<unknown, undefined> & AsyncDisposable as never;
  }

  /**
   * Calls a listener with the events of the channel that this process receives, and with losses, as {@link
   * Channel.read} yields them: one by one. If the listener returns a promise, the next call waits for it. Errors of the
   * listener go to `onError`, with the stage `subscribe`. It does not keep the process alive.
   *
   * @returns A function that removes the listener.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option or listener.
   * @example
   * ```ts
   * import { createHub } from "sourcecast";
   *
   * const hub = createHub();
   * const orders = hub.channel("orders");
   * const received = new Promise<void>((resolve) => {
   *   orders.subscribe((event) => {
   *     console.log(event.type, event.data); // shipped 7
   *     resolve();
   *   });
   * });
   * await orders.dispatch("shipped", "7");
   * await received;
   * await hub.close();
   * ```
   */
  subscribe(listener: (event: ReadEvent<E>) => void | Promise<void>, options: ReadOptions = {}): () => void {
    checkListener(listener);
    checkReadOptions(options, "channel.subscribe()");
    const target = this.#context.readTarget(this.name);
    return listen(target, listener as (event: unknown) => unknown, options, this.#context.onError);
  }

  /**
   * Resolves with `"empty"` if the log has no event of the channel, `"ended"` if the newest one is its
   * end (see {@link Channel.end}), and `"open"` otherwise. A route can answer 204 where there is nothing to follow.
   *
   * @throws {SourcecastError} `ERR_SSE_LOG` or `ERR_SSE_TIMEOUT` if the log does not answer.
   */
  async state(): Promise<"empty" | "open" | "ended"> {
    assertChannelName(this.name);
    const end = await this.#context.endOf(this.name);
    return typeof end === "string" ? end : "ended";
  }

  /** Resolves with the cursor of the end if the channel has ended, otherwise with `null`. See {@link Channel.state}. */
  async endCursor(): Promise<string | null> {
    assertChannelName(this.name);
    const end = await this.#context.endOf(this.name);
    return typeof end === "string" ? null : formatCursor(end);
  }

  /**
   * Erases the events of the channel for good: from the log and its files, and from the memory of every process. A
   * client that had not received all of them is told so by `sse:gap`, with the reason `cleared`. The channel is empty
   * then and can be used again, because an end is erased, too. A publish whose `after` is the cursor of an erased event
   * is rejected.
   *
   * Bytes that have left, or are on their way to a client, cannot be recalled.
   *
   * @returns The cursor after the erased events, `null` if the channel had none.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a log without the capability `clear`.
   * @throws {SourcecastError} `ERR_SSE_LOG` if the log cannot erase now.
   */
  async clear(): Promise<string | null> {
    assertChannelName(this.name);
    return this.#context.clear(this.name);
  }

  #publish(events: readonly PublishedEvent[]): Promise<string[]> {
    assertChannelName(this.name);
    return this.#context.publish(this.name, events);
  }
}

const { channels: _, ...responseChecks } = subscribeChecks;

/** Within a transaction, it is not known what will have been published before the commit. */
function assertNoAfter(events: readonly PublishOptions[]): void {
  const found = events.find(({ after }) => after !== undefined);
  if (found !== undefined) throw optionError("after", found.after, "no value together with the option transaction");
}

/** One event of a list. */
function checkEvent(event: PublishedEvent): void {
  if (event === undefined) throw optionError("events", [event], "a list of events, each with a type");
  checkOptions(event, eventChecks, "an event");
}
