import type { Duration } from "../base/units.ts";
import type { RequestLike } from "../http/request.ts";
import { type Pipeable, type PipeOptions, type PipeResult, type PipeTarget, pipe } from "../source/pipe.ts";
import type { DispatchArguments, EventData, EventMap, EventType } from "../wire/event-types.ts";
import { abortWhenUnsubscribed, type SubscriberCount } from "./lifetime/no-subscribers.ts";
import type { PublishOptions, SubscribeOptions } from "./options.ts";
import type { Member } from "./presence.ts";
import type { PublishedEvent } from "./publish.ts";
import { assertChannelName } from "./selection.ts";

/** What a channel needs of its hub. */
export interface ChannelContext {
  response(request: RequestLike, options: SubscribeOptions): Promise<Response>;
  publish(channel: string, events: readonly PublishedEvent[]): Promise<string[]>;
  end(channel: string): Promise<string>;
  members(channel: string): Promise<Member[]>;
  readonly subscribers: SubscriberCount;
}

/** The options of {@link Channel.pipe}. */
export interface ChannelPipeOptions<T> extends PipeOptions<T> {
  /** Ends the channel after the last piece. @default true */
  endChannel?: boolean;
  /** Stops the producer when nobody has followed the channel in this process for so long. @default never */
  stopWithoutSubscribers?: Duration;
}

/** An event for {@link Channel.dispatch} in the form for several at once. */
export type EventOf<E extends EventMap> = {
  [T in EventType<E>]: (undefined extends EventData<E, T>
    ? { type: T; data?: EventData<E, T> }
    : { type: T; data: EventData<E, T> }) &
    PublishOptions;
}[EventType<E>];

/**
 * A name under which events are published in a hub's log, to everyone who follows it on every machine. Costs nothing to make.
 */
export class Channel<E extends EventMap = false> {
  readonly name: string;
  readonly #context: ChannelContext;

  constructor(name: string, context: ChannelContext) {
    this.name = name;
    this.#context = context;
  }

  /**
   * Publishes an event. Resolves with its cursor when the log has accepted it; rejects, with nothing published, otherwise.
   *
   * @throws {SourcecastError} `ERR_SSE_CONFLICT` if `after` does not hold, `ERR_SSE_LOG` if the log cannot store,
   * `ERR_SSE_LIMIT`, `ERR_SSE_CONTRACT`, `ERR_SSE_DATA`, `ERR_SSE_TYPE` for what may not be published.
   */
  dispatch<T extends EventType<E>>(type: T, ...rest: DispatchArguments<E, T, PublishOptions>): Promise<string>;
  /** Publishes several events next to each other, all of them or none. Resolves with their cursors. */
  dispatch(events: readonly EventOf<E>[]): Promise<string[]>;
  async dispatch(
    type: string | readonly PublishedEvent[],
    data?: unknown,
    options?: PublishOptions,
  ): Promise<string | string[]> {
    if (typeof type === "object") return this.#publish(type);
    const [cursor] = await this.#publish([{ ...options, type, data }]);
    return cursor as string;
  }

  /** Publishes data under the type that clients hear as `message`. */
  dispatchMessage(...rest: DispatchArguments<E, "message", PublishOptions>): Promise<string> {
    return this.dispatch("message" as EventType<E>, ...(rest as never));
  }

  /** Answers a request with the stream of this channel; a name that ends in `*` follows all with that prefix. */
  response(request: RequestLike, options: Omit<SubscribeOptions, "channels"> = {}): Promise<Response> {
    return this.#context.response(request, { ...options, channels: [this.name] });
  }

  /**
   * Says that nothing will follow. Those who follow hear `sse:end`, and a client that comes back after it gets 204.
   *
   * @returns The cursor of the end.
   */
  async end(): Promise<string> {
    assertChannelName(this.name);
    return this.#context.end(this.name);
  }

  /**
   * Publishes one event for each piece of a producer, so that its text survives a reload of the page and many can read it.
   * The producer goes on when its first reader leaves. Ends the channel after the last piece.
   *
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
   * The users who are present, on every machine: the members of subscriptions, each once, in the order in which they came.
   * The events `join` and `leave` report changes on the channel.
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

  async #publish(events: readonly PublishedEvent[]): Promise<string[]> {
    assertChannelName(this.name);
    return this.#context.publish(this.name, events);
  }
}
