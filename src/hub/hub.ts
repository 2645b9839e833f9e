import { SourcecastError } from "../base/errors.ts";
import { type Duration, milliseconds, wholeNumber } from "../base/units.ts";
import { assertRequest, type RequestLike } from "../http/request.ts";
import type { Log } from "../log/log.ts";
import { memoryLog } from "../logs/memory/index.ts";
import type { Exchange } from "../sinks/exchange.ts";
import { WebSink } from "../sinks/web.ts";
import { type EventSource, sourceOf } from "../source/source.ts";
import type { Stream } from "../source/stream.ts";
import { headCursor } from "../wire/cursor.ts";
import type { EventMap } from "../wire/event-types.ts";
import { Admission, type Admitted } from "./admission/admission.ts";
import { Channel, type ChannelContext } from "./channel.ts";
import { Feed } from "./feed/feed.ts";
import { FrameRing } from "./feed/frame-ring.ts";
import { Subscribers } from "./feed/subscribers.ts";
import { drainAll } from "./lifetime/drain.ts";
import { endStream, Sweep } from "./lifetime/sweep.ts";
import type { HubOptions, SubscribeOptions } from "./options.ts";
import { type HubPresence, noPresence, type PresenceContext } from "./presence.ts";
import { Publisher } from "./publish.ts";
import { type ResolvedHubOptions, resolveHubOptions } from "./resolve-options.ts";
import { parseSelection } from "./selection.ts";
import { Counters, type HubStats, readStats } from "./stats.ts";
import { Checkpoints } from "./subscription/checkpoints.ts";
import { Pump } from "./subscription/pump.ts";
import { Subscription, type SubscriptionContext } from "./subscription/subscription.ts";

/**
 * Makes a hub: topics for an application, over a log.
 *
 * @throws {SourcecastTypeError} for options with values that are not allowed.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 *
 * const hub = createHub();
 * const news = hub.channel("news");
 *
 * export const GET = (request: Request) => news.response(request);
 *
 * await news.dispatch("headline", { title: "Rain tomorrow" });
 * await hub.close();
 * ```
 */
export function createHub<E extends EventMap = false>(options: HubOptions<E> = {}): Hub<E> {
  return new Hub<E>(options);
}

/**
 * Channels over a log. A connection is a position in the log: what is live, what is replayed after a reconnect and what a
 * slow reader gets are one path, and what cannot be delivered is declared in the stream.
 */
export class Hub<E extends EventMap = false> implements AsyncDisposable {
  /** As it appears in what is measured. */
  readonly name: string;
  readonly #log: Log;
  readonly #feed: Feed;
  readonly #audience: Subscribers<Subscription>;
  readonly #admission: Admission;
  readonly #housekeeping: Sweep;
  readonly #presence: HubPresence;
  /** What every subscription gets of the hub. */
  readonly #context: SubscriptionContext & Pick<ResolvedHubOptions, "sourceOptions">;
  readonly #channelContext: ChannelContext;
  #isOpen = true;
  #closed: Promise<void> | undefined;

  constructor(options: HubOptions<E>) {
    const settings = resolveHubOptions(options);
    this.name = settings.name;
    this.#log = options.log ?? memoryLog();
    const ring = new FrameRing(settings.ring);
    this.#feed = new Feed(this.#log, ring, settings.onError);
    this.#audience = new Subscribers(ring);
    this.#feed.observers.add(this.#audience);
    // Each part says which of these it needs.
    const context = {
      ...settings,
      log: this.#log,
      feed: this.#feed,
      audience: this.#audience,
      checkpoints: new Checkpoints(ring),
      counters: new Counters(),
      subscribe: (admitted: Admitted) => this.#subscribe(admitted),
    };
    this.#context = context;
    this.#admission = new Admission(context);
    this.#housekeeping = new Sweep(context);
    this.#presence = settings.presence?.open(presenceContext(context)) ?? noPresence;
    const publisher = new Publisher(context);
    this.#channelContext = {
      response: (request, subscribe) => this.response(request, subscribe),
      publish: (channel, events) => {
        this.#assertOpen();
        return publisher.publish(channel, events);
      },
      end: (channel) => {
        this.#assertOpen();
        return publisher.end(channel);
      },
      members: (channel) => {
        this.#assertOpen();
        return this.#presence.members(channel);
      },
      subscribers: this.#audience.channels,
    };
  }

  /** A channel by its name: up to 256 printable characters. One that ends in `*` can be followed, not published to. */
  channel(name: string): Channel<E> {
    parseSelection([name]);
    return new Channel(name, this.#channelContext);
  }

  /**
   * Answers a request with a stream of channels: from where its client was (`Last-Event-ID`, or the query parameter
   * `lastEventId`), or from now on. 403 where `authorize` refuses, 204 where nothing will follow, and over a limit a stream
   * that ends at once with a time to come again.
   *
   * @throws {SourcecastTypeError} for channel names and options that are not allowed.
   */
  async response(request: RequestLike, options: SubscribeOptions): Promise<Response> {
    assertRequest(request);
    const sink = new WebSink(request.signal);
    await this.#open({ request, sink }, options);
    return sink.response();
  }

  /**
   * Opens a stream of channels on an exchange: what {@link response} and the `respond` of each adapter are made of.
   *
   * @returns The source, or `null` where the request got another response.
   * @throws {SourcecastTypeError} for channel names and options that are not allowed, with nothing sent.
   */
  async open(exchange: Exchange, options: SubscribeOptions): Promise<EventSource | null> {
    const stream = await this.#open(exchange, options);
    return stream === null ? null : sourceOf(stream);
  }

  /** The position behind everything published so far: for a page whose stream is to start exactly where its state ends. */
  async cursor(): Promise<string> {
    this.#assertOpen();
    return headCursor(await this.#log.head());
  }

  /**
   * Ends the streams that were opened with this `key`, now. Whether they may come back is for `authorize` to say.
   *
   * @returns How many were ended in this process.
   */
  revoke(key: string): number {
    this.#admission.revoke(key);
    const subscriptions = this.#audience.ofKey(key);
    for (const subscription of subscriptions) endStream(subscription, "revoked");
    return subscriptions.length;
  }

  /** What was counted, and how it stands. */
  stats(): HubStats {
    const { connections } = this.#admission;
    return readStats(this.#context.counters, this.#feed.ring, this.#audience, connections, !this.#isOpen);
  }

  /**
   * Turns newcomers away and ends the streams at random moments of the window, so that their clients arrive elsewhere one by
   * one. Nothing is lost: they come back with their positions.
   *
   * @param options.within @default "10s"
   */
  async drain(options: { within?: Duration } = {}): Promise<void> {
    const window = milliseconds(options.within ?? "10s", "within");
    this.#admission.close();
    await drainAll(this.#audience.all, window, this.#context.sourceOptions.retry);
  }

  /** Ends all streams and closes the log. */
  close(): Promise<void> {
    this.#isOpen = false;
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#admission.close();
    await Promise.all(Array.from(this.#audience.all, ({ stream }) => stream.close("closed")));
    this.#housekeeping.stop();
    await this.#presence.close();
    this.#context.checkpoints.close();
    this.#feed.close();
    await this.#log.close();
  }

  async #open(exchange: Exchange, options: SubscribeOptions): Promise<Stream | null> {
    const selection = parseSelection(options?.channels);
    wholeNumber(options.rewind ?? 0, "rewind");
    const { member } = options;
    const checked = member === undefined ? options : { ...options, member: this.#presence.check(member) };
    return this.#admission.open(exchange, selection, checked);
  }

  #subscribe(admitted: Admitted): void {
    const subscription = new Subscription(admitted, this.#context);
    subscription.expires = this.#housekeeping.expiry();
    const { leave, stream, options } = admitted;
    const leaveChannels = options.member && this.#presence.enter(options.member, options.channels);
    subscription.onLeave = () => {
      leave();
      leaveChannels?.(stream.closeReason ?? "closed");
    };
    this.#housekeeping.schedule();
    subscription.start(new Pump(subscription));
  }

  #assertOpen(): void {
    if (this.#isOpen) return;
    throw new SourcecastError("ERR_SSE_CLOSED", "The hub was used after close(); make a new one");
  }
}

/** What presence may know of a hub. */
function presenceContext({
  feed,
  counters,
  limits,
  onError,
}: Pick<SubscriptionContext, "feed" | "counters" | "limits" | "onError">): PresenceContext {
  return {
    log: feed.log,
    maxDataSize: limits.eventSize,
    get top() {
      return feed.ring.top;
    },
    start: () => feed.start(),
    observe: (observer) => void feed.observers.add(observer),
    countPublished(events) {
      counters.published += events;
    },
    onError: (error) => onError(error, { stage: "presence" }),
  };
}
