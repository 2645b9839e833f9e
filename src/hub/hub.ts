import { Connection } from "../connection.ts";
import type { AnyContract } from "../contract.ts";
import { SourcecastError } from "../errors.ts";
import type { Log, Selection } from "../logs/log.ts";
import { memoryLog } from "../logs/memory.ts";
import { defaultRetry } from "../opening.ts";
import { type ResolvedOptions, resolveContract, resolveOptions } from "../options.ts";
import { type Answer, refuse, sendAway, streamHeaders, turnAway } from "../refusal.ts";
import { assertRequest, type RequestLike, readLastEventId } from "../request.ts";
import { WebSink } from "../sinks/web.ts";
import { EventSource } from "../source.ts";
import type { Events } from "../typing.ts";
import { bytes, type Duration, milliseconds } from "../units.ts";
import { Channel, type ChannelContext } from "./channel.ts";
import { cursorAtTop, formatCursor, parseCursor } from "./cursor.ts";
import { drainAll } from "./drain.ts";
import { isOver } from "./ends.ts";
import { Feed } from "./feed.ts";
import { endStream, Housekeeping } from "./housekeeping.ts";
import { Places, type ResolvedLimits, resolveLimits, wholeNumber } from "./limits.ts";
import { type MeterLike, Meters } from "./meter.ts";
import type { Authorize, HubOptions, OnError, SubscribeOptions } from "./options.ts";
import { Permissions } from "./permissions.ts";
import { type Member, resolvePresence } from "./presence/options.ts";
import { Presence } from "./presence/presence.ts";
import { entryOf, type PublishedEvent } from "./publish.ts";
import { reportError } from "./report.ts";
import { Ring } from "./ring.ts";
import { selectionOf } from "./selection.ts";
import { Counters, type HubStats } from "./stats.ts";
import { Subscription, type SubscriptionContext } from "./subscription.ts";

/** Opens a subscription on a sink of an adapter's. `null` where the request was answered with something else. */
export let openSubscription: (
  hub: Hub<never>,
  connection: Connection,
  options: SubscribeOptions,
) => Promise<EventSource | null>;

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
export function createHub<E extends Events = false>(options: HubOptions<E> = {}): Hub<E> {
  return new Hub<E>(options);
}

/**
 * Channels over a log. A connection is a position in the log: what is live, what is replayed after a reconnect and what a
 * slow reader gets are one path, and what cannot be delivered is declared in the stream.
 */
export class Hub<E extends Events = false> implements AsyncDisposable {
  /** As it appears in what is measured. */
  readonly name: string;
  readonly #log: Log;
  readonly #feed: Feed;
  readonly #limits: ResolvedLimits;
  readonly #places: Places;
  readonly #housekeeping: Housekeeping;
  readonly #presence: Presence;
  readonly #meters: Meters;
  readonly #counters = new Counters();
  readonly #contract: AnyContract | undefined;
  readonly #authorize: Authorize | undefined;
  readonly #onError: OnError;
  readonly #sourceOptions: ResolvedOptions;
  readonly #subscriptionContext: SubscriptionContext;
  readonly #channelContext: ChannelContext;
  readonly #byKey = new Map<string, Set<Subscription>>();
  /** Requests of which it is not known yet whether they get a stream. */
  readonly #opening = new Set<{ readonly key: string | undefined; revoked: boolean }>();
  #state: "open" | "draining" | "closed" = "open";
  #closed: Promise<void> | undefined;

  static {
    openSubscription = (hub, connection, options) => hub.#open(connection, options);
  }

  constructor(options: HubOptions<E>) {
    const { heartbeat = "30s", retry = defaultRetry, shutdown = true } = options;
    this.name = options.name ?? "default";
    this.#contract = resolveContract(options.events as AnyContract | undefined);
    this.#authorize = options.authorize;
    this.#onError = safely(options.onError ?? reportError);
    this.#limits = resolveLimits(options.limits);
    this.#sourceOptions = resolveOptions({ keepAlive: heartbeat, retry, shutdown });
    this.#places = new Places(this.#limits);
    this.#log = options.log ?? memoryLog();
    const ring = new Ring(
      wholeNumber(options.ring?.maxEvents ?? 4_096, "ring.maxEvents", 1),
      bytes(options.ring?.maxBytes ?? "16mb", "ring.maxBytes"),
    );
    this.#feed = new Feed(this.#log, ring, this.#onError);
    const reauthorize =
      options.reauthorize === undefined ? Number.POSITIVE_INFINITY : milliseconds(options.reauthorize, "reauthorize");
    this.#housekeeping = new Housekeeping(this.#feed, this.#limits, reauthorize, () => this.#counters.stalled++);
    this.#subscriptionContext = {
      feed: this.#feed,
      counters: this.#counters,
      onError: this.#onError,
      onGap: options.onGap,
      snapshot: options.snapshot,
      maxReplay: this.#limits.replay,
    };
    this.#presence = new Presence(
      { feed: this.#feed, counters: this.#counters, onError: this.#onError, maxSize: this.#limits.eventSize },
      resolvePresence(options.presence),
    );
    this.#meters = new Meters(this, this.#onError);
    this.#channelContext = {
      publish: (channel, events) => this.#publish(channel, events),
      end: (channel) => this.#end(channel),
      members: (channel) => this.#members(channel),
      followed: this.#feed.topics,
    };
  }

  /** A channel by its name: up to 256 printable characters. One that ends in `*` can be followed, not published to. */
  channel(name: string): Channel<E> {
    selectionOf([name]);
    return new Channel(name, this, this.#channelContext);
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
    const source = await this.#open(new Connection(request, sink), options);
    return source === null ? sink.response(new Map(), {}) : source.response();
  }

  /** The position behind everything published so far: for a page whose stream is to start exactly where its state ends. */
  async cursor(): Promise<string> {
    this.#assertOpen();
    return cursorAtTop(await this.#log.head());
  }

  /**
   * Ends the streams that were opened with this `key`, now. Whether they may come back is for `authorize` to say.
   *
   * @returns How many were ended in this process.
   */
  revoke(key: string): number {
    for (const opening of this.#opening) if (opening.key === key) opening.revoked = true;
    const subscriptions = [...(this.#byKey.get(key) ?? [])];
    for (const subscription of subscriptions) endStream(subscription, "revoked");
    return subscriptions.length;
  }

  /** What was counted, and how it stands. */
  stats(): HubStats {
    const { ring, lagging, subscriptions, topics } = this.#feed;
    let oldestLag = 0;
    for (const subscription of lagging) oldestLag = Math.max(oldestLag, ring.top - subscription.position);
    const { gaps, refused, ...counts } = this.#counters;
    return {
      connections: this.#places.total,
      live: subscriptions.size - lagging.size,
      lagging: lagging.size,
      channels: topics.size,
      head: ring.top,
      oldestLag,
      ringBytes: ring.byteLength,
      ...counts,
      gaps: { ...gaps },
      refused: { ...refused },
    };
  }

  /**
   * Lets a meter of OpenTelemetry have what {@link stats} says, whenever it collects, until the hub is closed.
   *
   * @returns What takes the meter away before that.
   * @throws {SourcecastTypeError} for something that is no meter.
   */
  instrument(meter: MeterLike): () => void {
    this.#assertOpen();
    return this.#meters.add(meter);
  }

  /**
   * Turns newcomers away and ends the streams at random moments of the window, so that their clients arrive elsewhere one by
   * one. Nothing is lost: they come back with their positions.
   *
   * @param options.within @default "10s"
   */
  async drain(options: { within?: Duration } = {}): Promise<void> {
    const window = milliseconds(options.within ?? "10s", "within");
    if (this.#state === "open") this.#state = "draining";
    await drainAll(this.#feed.subscriptions, window, this.#sourceOptions.retry);
  }

  /** Ends all streams and closes the log. */
  close(): Promise<void> {
    this.#state = "closed";
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all(Array.from(this.#feed.subscriptions, ({ source }) => source.close()));
    this.#housekeeping.stop();
    await this.#presence.close();
    this.#meters.close();
    this.#feed.close();
    await this.#log.close();
  }

  async #publish(channel: string, events: readonly PublishedEvent[]): Promise<string[]> {
    this.#assertOpen();
    await this.#feed.start();
    const { epoch } = this.#feed.ring;
    const check = (event: PublishedEvent) => entryOf(channel, event, this.#contract, this.#limits.eventSize, epoch);
    // All at once: however many they are, what is published after them does not overtake them.
    return this.#append(await Promise.all(events.map(check)));
  }

  async #end(channel: string): Promise<string> {
    this.#assertOpen();
    await this.#feed.start();
    const [cursor] = await this.#append([{ channel, type: "sse:end", data: JSON.stringify({ channel }) }]);
    return cursor as string;
  }

  async #members(channel: string): Promise<Member[]> {
    this.#assertOpen();
    return this.#presence.members(channel);
  }

  async #append(entries: Parameters<Log["append"]>[0]): Promise<string[]> {
    const appended = await this.#log.append(entries);
    this.#counters.published += appended.filter(({ duplicate }) => duplicate !== true).length;
    return appended.map(({ epoch, offset, witness }) => formatCursor(epoch, offset, witness));
  }

  async #open(connection: Connection, options: SubscribeOptions): Promise<EventSource | null> {
    const { request, sink } = connection;
    const selection = selectionOf(options?.channels);
    wholeNumber(options.rewind ?? 0, "rewind");
    this.#presence.check(options.member);
    const sourceOptions = this.#optionsFor(request, options);
    const place = refuse(request, sourceOptions) ?? this.#admit(request, selection, options, sourceOptions);
    if (typeof place !== "function") {
      sink.refuse(place);
      return null;
    }
    const opening = { key: options.key, revoked: false };
    this.#opening.add(opening);
    try {
      const permissions = new Permissions(this.#authorize, request, this.#onError);
      let answer = await this.#sendAway(request, selection, options, permissions, sourceOptions);
      // What was asked may have taken its time, and not know yet what has happened meanwhile.
      if (this.#state !== "open") answer = turnAway(request, sourceOptions, "draining");
      else if (opening.revoked) answer = turnAway(request, sourceOptions, "revoked");
      const source = answer === null ? new EventSource(new Connection(request, sink, sourceOptions)) : null;
      if (answer !== null) sink.refuse(answer);
      if (source === null || source.closeReason !== null) place();
      else
        this.#subscribe(
          new Subscription(source, request, selection, options, permissions, this.#subscriptionContext),
          place,
        );
      return source;
    } catch (error) {
      place();
      throw error;
    } finally {
      this.#opening.delete(opening);
    }
  }

  /** A place among the connections, as what gives it back; or the answer that turns the request away. */
  #admit(
    request: RequestLike,
    selection: Selection,
    options: SubscribeOptions,
    sourceOptions: ResolvedOptions,
  ): Answer | (() => void) {
    if (this.#state !== "open") return turnAway(request, sourceOptions, "draining");
    const tooMany = selection.channels.length + selection.prefixes.length > this.#limits.channels;
    const place = tooMany ? "channels" : this.#places.take(options.key);
    if (typeof place === "function") return place;
    this.#counters.countRefused(place);
    return turnAway(request, sourceOptions, place);
  }

  /** The answer to a client that is not to come again, or `null`. */
  async #sendAway(
    request: RequestLike,
    selection: Selection,
    options: SubscribeOptions,
    permissions: Permissions,
    sourceOptions: ResolvedOptions,
  ): Promise<Answer | null> {
    const allowed = await permissions.renew(options.channels);
    if (allowed !== true) {
      this.#counters.countRefused("authorize");
      // A 403 keeps a native client away for good, which a failure on this side is no reason for.
      if (allowed === null) return turnAway(request, sourceOptions, "error");
      return sendAway(request, sourceOptions, 403, "forbidden");
    }
    try {
      const over = await isOver(this.#log, parseCursor(readLastEventId(request)), selection);
      return over ? sendAway(request, sourceOptions, 204, "ended") : null;
    } catch (error) {
      this.#onError(error, { stage: "replay" });
      return turnAway(request, sourceOptions, "error");
    }
  }

  #subscribe(subscription: Subscription, leave: () => void): void {
    const { key } = subscription.options;
    const ofKey = key === undefined ? undefined : (this.#byKey.get(key) ?? new Set());
    if (key !== undefined && ofKey !== undefined) this.#byKey.set(key, ofKey.add(subscription));
    subscription.expires = this.#housekeeping.expiry();
    const leavePresence = this.#presence.enter(subscription);
    subscription.onLeave = () => {
      leave();
      leavePresence();
      ofKey?.delete(subscription);
      if (key !== undefined && ofKey?.size === 0) this.#byKey.delete(key);
    };
    this.#housekeeping.wake();
    subscription.start();
  }

  #optionsFor(request: RequestLike, options: SubscribeOptions): ResolvedOptions {
    const { headers, cors, rejectOverload = false } = options;
    if (headers === undefined && cors === undefined && !rejectOverload) return this.#sourceOptions;
    const sourceOptions = { ...this.#sourceOptions, headers, cors, rejectOverload };
    // What cannot be sent is refused before anybody is connected.
    streamHeaders(request, sourceOptions);
    return sourceOptions;
  }

  #assertOpen(): void {
    if (this.#state !== "closed") return;
    throw new SourcecastError("ERR_SSE_CLOSED", "The hub was used after close(); make a new one");
  }
}

/** What an application's own handler throws must not end what the failure was in the middle of. */
function safely(onError: OnError): OnError {
  return (error, context) => {
    try {
      onError(error, context);
    } catch (failure) {
      reportError(failure, context);
    }
  };
}
