// A channel of a hub: the handle that applications publish, read and end it with.
import { aBoolean, aDuration, checkOptions, type OptionChecks, optionError } from "../base/options.ts";
import type { Duration } from "../base/units.ts";
import type { RequestLike } from "../http/request.ts";
import { type Pipeable, type PipeOptions, type PipeResult, type PipeTarget, pipe, pipeChecks } from "../source/pipe.ts";
import type { DispatchArguments, EventData, EventMap, EventType } from "../wire/event-types.ts";
import { abortWhenUnsubscribed, type SubscriberCount } from "./lifetime/no-subscribers.ts";
import { eventChecks, publishChecks, subscribeChecks, transactionChecks } from "./option-checks.ts";
import type { PublishOptions, SubscribeOptions, TransactionOptions, WithinTransaction } from "./options.ts";
import type { Member } from "./presence.ts";
import type { PublishedEvent } from "./publish.ts";
import { assertChannelName } from "./selection.ts";

/** The part of the hub that a channel uses. */
export interface ChannelContext {
  response(request: RequestLike, options: SubscribeOptions): Promise<Response>;
  publish(channel: string, events: readonly PublishedEvent[]): Promise<string[]>;
  publishIn(transaction: object, channel: string, events: readonly PublishedEvent[]): Promise<undefined>;
  end(channel: string): Promise<string>;
  members(channel: string): Promise<Member[]>;
  readonly subscribers: SubscriberCount;
}

/** The options of {@link Channel.pipe}. */
export interface ChannelPipeOptions<T> extends PipeOptions<T> {
  /** Ends the channel after the last piece. @default true */
  endChannel?: boolean;
  /** Stops the producer after the channel has had no subscription in this process for this long. @default never */
  stopWithoutSubscribers?: Duration;
}

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

  /** @internal Use `hub.channel()`. */
  constructor(name: string, context: ChannelContext) {
    this.name = name;
    this.#context = context;
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
   * Publishes an event within a transaction of the application, on a log that can do that: if it commits, and only then.
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
    if (options && "transaction" in options) {
      const { transaction, ...rest } = options;
      checkOptions(rest, publishChecks, "dispatch()");
      assertNoAfter([rest]);
      return this.#publishIn({ transaction }, [{ ...rest, type, data }]);
    }
    checkOptions(options, publishChecks, "dispatch()");
    const [cursor] = await this.#publish([{ ...options, type, data }]);
    return cursor;
  }

  /**
   * Publishes several events next to each other: all of them or none.
   *
   * @returns The cursor of each event, once the log has accepted all of them.
   * @throws {SourcecastError} As {@link Channel.dispatch} does.
   */
  dispatchAll(events: readonly EventOf<E>[]): Promise<string[]>;
  /** Publishes several events next to each other, within a transaction of the application: see {@link Channel.dispatch}. */
  dispatchAll(events: readonly EventOf<E>[], options: WithinTransaction): Promise<undefined>;
  async dispatchAll(events: readonly EventOf<E>[], options?: WithinTransaction): Promise<string[] | undefined> {
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
    return this.#context.response(request, { ...options, channels: [this.name] });
  }

  /**
   * Ends the channel. Subscribers receive `sse:end`; a client that reconnects afterwards gets 204.
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
   * @returns How the pipe ended. It does not reject when the producer fails.
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
    const { endChannel = true, stopWithoutSubscribers, ...pipeOptions } = options;
    const unsubscribed = abortWhenUnsubscribed(this.#context.subscribers, this.name, stopWithoutSubscribers);
    const target: PipeTarget = {
      dispatch: async (type, data) => {
        await this.#publish([{ type, data }]);
        return true;
      },
      ready: () => undefined,
      signal: unsubscribed.signal,
      get closeReason() {
        return unsubscribed.signal.aborted ? "unsubscribed" : null;
      },
    };
    const result = await pipe(pieces, target, pipeOptions).finally(unsubscribed.release);
    if (endChannel && result.ended === "done") await this.end();
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

  async #publish(events: readonly PublishedEvent[]): Promise<string[]> {
    assertChannelName(this.name);
    return this.#context.publish(this.name, events);
  }
}

const { channels: _, ...responseChecks } = subscribeChecks;

const channelPipeChecks: OptionChecks<ChannelPipeOptions<unknown>> = {
  ...pipeChecks,
  endChannel: aBoolean,
  stopWithoutSubscribers: aDuration,
};

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
