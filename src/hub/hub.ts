// The hub: channels over a log. It connects its parts and is the application's handle on them.
import { SourcecastError } from "../base/errors.ts";
import { aName, checkOptions } from "../base/options.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import { assertRequest, type RequestLike } from "../http/request.ts";
import { type CompleteLog, completeLog } from "../log/complete.ts";
import { memoryLog } from "../logs/memory/index.ts";
import type { Exchange } from "../sinks/exchange.ts";
import { WebSink } from "../sinks/web.ts";
import { type EventSource, sourceOf } from "../source/source.ts";
import { headCursor } from "../wire/cursor.ts";
import type { EventMap } from "../wire/event-types.ts";
import { Admission, type Admitted } from "./admission/admission.ts";
import { Channel } from "./channel.ts";
import type { ChannelContext } from "./channel-context.ts";
import { CompressionGroups } from "./compression-groups.ts";
import { FrameRing } from "./feed/frame-ring.ts";
import { PageCache } from "./feed/page-cache.ts";
import { RunCache } from "./feed/run-cache.ts";
import { Subscribers } from "./feed/subscribers.ts";
import { registerInternals } from "./internals.ts";
import { drainAll } from "./lifetime/drain.ts";
import { revokeStream } from "./lifetime/revocation.ts";
import { Sweep } from "./lifetime/sweep.ts";
import { limitedLog } from "./limited-log.ts";
import { assertReady, closeLog, type LogWatch, watchLog } from "./log-watch.ts";
import { channelChecks, checkSubscription, drainChecks } from "./option-checks.ts";
import type { ChannelOptions, HubOptions, SubscribeOptions } from "./options.ts";
import { type HubPresence, noPresence } from "./presence.ts";
import { presenceContext } from "./presence-context.ts";
import { Publisher } from "./publish.ts";
import type { ReaderContext } from "./reader/context.ts";
import { Readers } from "./reader/readers.ts";
import { type ResolvedHubOptions, resolveHubOptions } from "./resolve-options.ts";
import { parseSelection, type Subscribing } from "./selection.ts";
import { channelContext } from "./serve-channels.ts";
import { Counters, type HubStats, readStats } from "./stats.ts";
import { subscribe } from "./subscribe.ts";
import { Checkpoints } from "./subscription/checkpoints.ts";
import { Pump } from "./subscription/pump.ts";
import type { Subscription, SubscriptionContext } from "./subscription/subscription.ts";
import { assertSent, readSubscription } from "./subscription-input.ts";

/**
 * Creates a hub: channels for an application, on top of a log.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option.
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
 * Channels over a log. A connection is a position in the log, so live delivery, replay after a reconnect and slow readers
 * share one code path. Whatever cannot be delivered is declared in the stream.
 */
export class Hub<E extends EventMap = false> implements AsyncDisposable {
  /** The name of the hub in its metrics. */
  readonly name: string;
  readonly #log: CompleteLog;
  readonly #subscribers: Subscribers<Subscription>;
  readonly #admission: Admission;
  readonly #sweep: Sweep;
  readonly #presence: HubPresence;
  /** The part of the hub that every subscription uses. */
  readonly #context: SubscriptionContext & ReaderContext & LogWatch & Pick<ResolvedHubOptions, "sourceOptions">;
  readonly #channelContext: ChannelContext;
  readonly #onClose = new Set<() => Promise<void>>();
  #isOpen = true;
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;

  /** @internal Use {@link createHub}. */
  constructor(options: HubOptions<E>) {
    const settings = resolveHubOptions(options);
    this.name = settings.name;
    this.#log = completeLog(options.log ?? memoryLog());
    const ring = new FrameRing(settings.ring);
    const watch = watchLog(this.#log, ring, settings);
    const { feed, locator, deadline } = watch;
    this.#subscribers = new Subscribers(ring);
    const pages = new PageCache(feed, () => locator.confirm(), deadline);
    // At a break in the sequence pages and runs are dropped before subscriptions ask for others.
    const runs = new RunCache(ring);
    const readers = new Readers(this.#subscribers.channels);
    feed.observers.add(pages).add(runs).add(this.#subscribers).add(readers);
    // Each part declares which of these it needs.
    const context = {
      ...settings,
      ...watch,
      pages,
      runs,
      subscribers: this.#subscribers,
      readers,
      checkpoints: new Checkpoints(ring),
      counters: new Counters(),
      compression: new CompressionGroups(settings.compressionThreshold),
      catchUp: (subscription: Subscription) => new Pump(subscription),
      subscribe: (admitted: Admitted) => subscribe(admitted, this.#context, this.#sweep, this.#presence),
    };
    this.#context = context;
    this.#admission = new Admission(context);
    this.#sweep = new Sweep(context);
    this.#presence = settings.presence?.open(presenceContext(context)) ?? noPresence;
    const parts = {
      publisher: new Publisher(context),
      presence: this.#presence,
      context,
      closing: this.#closing.signal,
      response: (request: RequestLike, subscribe: SubscribeOptions) => this.response(request, subscribe),
      assertOpen: () => this.#assertOpen(),
    };
    this.#channelContext = channelContext(parts);
    const untyped = channelContext({ ...parts, context: { ...context, contract: undefined } });
    registerInternals(this, {
      log: limitedLog(this.#log, deadline, watch.appendDeadline),
      maxEventSize: settings.limits.eventSize,
      channel: (name) => new Channel(name, untyped),
      onClose: (callback) => {
        this.#onClose.add(callback);
        return () => void this.#onClose.delete(callback);
      },
      countPublished(events) {
        context.counters.published += events;
      },
    });
  }

  /**
   * Returns a channel by its name: up to 256 printable characters. A name that ends in `*` is a prefix, which can be
   * subscribed to but not published on.
   *
   * @throws {SourcecastTypeError} `ERR_SSE_CHANNEL` for an invalid name, `ERR_SSE_OPTION` for an invalid option.
   */
  channel(name: string, options: ChannelOptions = {}): Channel<E> {
    parseSelection([name]);
    checkOptions(options, channelChecks, "hub.channel()");
    return new Channel(name, this.#channelContext, options);
  }

  /**
   * Answers a request with a stream of channels. It resumes at the client's position (`Last-Event-ID`, or the query
   * parameter `lastEventId`), or starts now.
   *
   * @returns 200 with the stream, 403 if `authorize` rejects the request, or 204 if all channels have ended. Over a limit, the
   * stream ends immediately with a time after which the client retries. 400 if a value that may come from the client is not
   * valid, or has the wrong type: `channels`, `join`, `forbidden`, `label`, `from`, `rewind`, `sender`, `key`, `member`;
   * `onError` is called then.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a mistake in the options.
   */
  async response(request: RequestLike, options: SubscribeOptions): Promise<Response> {
    assertRequest(request);
    const sink = new WebSink(request.signal);
    const exchange = { request, sink };
    const asked = this.#read(exchange, options);
    if (asked !== null) await this.#admission.open(exchange, asked, () => undefined);
    return sink.response();
  }

  /**
   * Opens a stream of channels on an exchange. {@link Hub.response} and the `respond` of each adapter call it.
   *
   * @returns The source, or `null` if the request got another response.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a mistake in the options; nothing has been sent then.
   */
  open(exchange: Exchange, options: SubscribeOptions): Promise<EventSource | null> {
    try {
      const asked = this.#read(exchange, options);
      return asked === null ? Promise.resolve(null) : this.#admission.open(exchange, asked, sourceOf);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Opens a stream of channels as {@link Hub.open} does, but immediately: the header and the opening leave before the log has
   * answered. If `authorize` returns a promise, they do not wait for it either, so a rejection can only end the stream. For an
   * adapter whose framework may answer a request itself as soon as the handler has returned.
   *
   * @returns The source, or `null` if the request got another response.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a mistake in the options; nothing has been sent then.
   */
  openNow(exchange: Exchange, options: SubscribeOptions): EventSource | null {
    const asked = this.#read(exchange, options);
    const stream = asked === null ? null : this.#admission.openNow(exchange, asked);
    return stream === null ? null : sourceOf(stream);
  }

  /**
   * Returns the cursor after everything published so far. A page that renders the state of that moment can start its stream
   * exactly there.
   */
  async cursor(): Promise<string> {
    this.#assertOpen();
    return headCursor(await this.#context.deadline.limit(this.#log.head(), "log.head()"));
  }

  /**
   * Ends the streams that were opened with this `key`. Their clients reconnect, and `authorize` decides whether they may.
   *
   * @returns The number of streams that were ended in this process.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for anything but a key that a subscription can have.
   */
  revoke(key: string): number {
    aName(key, "key");
    this.#admission.revoke(key);
    const subscriptions = this.#subscribers.ofKey(key);
    const { retry } = this.#context.sourceOptions;
    for (const subscription of subscriptions) revokeStream(subscription, retry());
    return subscriptions.length;
  }

  /**
   * Resolves when this process can serve, for the start of a server and for health checks. It asks the log one question.
   *
   * @throws {SourcecastError} `ERR_SSE_LOG` or `ERR_SSE_TIMEOUT` while the log cannot be reached, or rejects events;
   * `ERR_SSE_CLOSED` after `drain()` or `close()`.
   */
  ready(): Promise<void> {
    return assertReady(this.#context, this.#isOpen && this.#admission.isOpen);
  }

  /** Returns counters and gauges of this process. */
  stats(): HubStats {
    const { connections } = this.#admission;
    const { counters, health } = this.#context;
    return readStats(counters, this.#context.feed.ring, this.#subscribers, health.outage, connections, !this.#isOpen);
  }

  /**
   * Rejects new connections and ends each open one at a random moment of the window, so that clients do not all reconnect at
   * once. They resume elsewhere at their positions.
   *
   * @param options `within`: the length of the window, by default `"10s"`.
   * @returns A promise that resolves when all streams have ended.
   */
  async drain(options: { within?: Duration } = {}): Promise<void> {
    checkOptions(options, drainChecks, "hub.drain()");
    const window = milliseconds(options.within ?? "10s", "within");
    this.#admission.close();
    await drainAll(this.#subscribers.all, window, this.#context.sourceOptions.retry);
  }

  /** Ends all streams and closes the log. Resolves when both are done. */
  close(): Promise<void> {
    this.#isOpen = false;
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Calls {@link Hub.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#admission.close();
    await Promise.all(Array.from(this.#onClose, (callback) => callback()));
    this.#closing.abort();
    this.#context.readers.close();
    await Promise.all(Array.from(this.#subscribers.all, ({ stream }) => stream.close("closed")));
    this.#sweep.stop();
    await this.#presence.close();
    await closeLog(this.#log, this.#context);
  }

  /** The options of a subscription; `null` if a value that the client may have sent is not valid: then it was answered. */
  #read(exchange: Exchange, options: SubscribeOptions): Subscribing | null {
    checkSubscription(options);
    const { member } = options;
    if (member !== undefined && member !== null && this.#presence === noPresence) noPresence.check(member);
    try {
      return readSubscription(options, this.#presence);
    } catch (error) {
      assertSent(options, exchange.request);
      this.#admission.rejectInput(exchange, options, error);
      return null;
    }
  }

  #assertOpen(): void {
    if (this.#isOpen) return;
    throw new SourcecastError("ERR_SSE_CLOSED", "The hub was used after close(); make a new one");
  }
}
