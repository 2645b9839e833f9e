// subscribe(): a stream of events that reconnects, resumes, and knows what it missed.
import type { AnyContract } from "../wire/contract.ts";
import type { ParsedEvent } from "../wire/parse.ts";
import { Consumers } from "./consumers.ts";
import { decodeEvent } from "./decode-event.ts";
import { Deferred } from "./deferred.ts";
import { type Environment, runtime } from "./environment.ts";
import { forbiddenError } from "./errors.ts";
import {
  type EventDataOf,
  type EventOfType,
  type EventTypeOf,
  readControlData,
  type StreamClosed,
  type StreamEvent,
  type StreamLoss,
  type StreamStatus,
  type TextEvent,
  toLoss,
} from "./events.ts";
import { InOrder } from "./in-order.ts";
import { type EventBuffer, type IterationOptions, iterate } from "./iterators.ts";
import { Line } from "./line.ts";
import { type ResolvedSubscribeOptions, resolveSubscribeOptions, type SubscribeOptions } from "./options.ts";
import { placeLine } from "./page.ts";
import type { ReconnectState } from "./reconnect.ts";
import type { PerAttempt } from "./request.ts";
import { isSameStatus, statusOf } from "./status.ts";

/**
 * Subscribes to a stream of events, from a hub or any other server of event streams. It connects with the first
 * consumer, reconnects for as long as it takes, resumes where it was, and reports the events that it could not receive.
 *
 * @param url The address, or an (async) function that gives it for each attempt.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for options that are unknown or have values that are not allowed,
 * and for a relative address outside of a browser, unless the option `fetch` is given.
 * @example
 * ```ts fragment
 * import { subscribe } from "sourcecast/client";
 *
 * const stream = subscribe("/events", { channels: ["orders/7"] });
 * stream.on("shipped", (data) => console.log(data));
 * stream.onLoss(() => location.reload());
 * ```
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function subscribe<C extends AnyContract | undefined = undefined>(
  url: PerAttempt<string | URL>,
  options: SubscribeOptions<C> = {},
): Subscription<C> {
  return new Subscription<C>(resolveSubscribeOptions(url, options as SubscribeOptions<AnyContract>), runtime);
}

/** A stream of events, from the client's side. */
export class Subscription<C extends AnyContract | undefined = undefined> implements AsyncIterable<StreamEvent<C>> {
  /** Resolves when the stream ends, with the reason. Never rejects. */
  readonly closed: Promise<StreamClosed>;
  readonly #options: ResolvedSubscribeOptions;
  readonly #line: Line;
  readonly #consumers: Consumers;
  /** The channels that the server does not allow. */
  readonly #forbidden: string[] = [];
  #status: StreamStatus = { state: "connecting", attempt: 0, retryAt: undefined, error: undefined };
  #started = false;
  /** Events wait for the asynchronous validation of those before them. */
  readonly #inOrder = new InOrder<ParsedEvent>(
    (event) => this.#handle(event),
    () => this.#wakeReader(),
  );
  /** Ends the wait of the connection, if it waits for this subscription. */
  #whenReady: (() => void) | null = null;
  readonly #opened = new Deferred<void>();
  readonly #closed = new Deferred<StreamClosed>();

  /** @internal Use {@link subscribe}. */
  constructor(options: ResolvedSubscribeOptions, environment: Environment) {
    this.#options = options;
    this.#consumers = new Consumers(options.after, () => this.#wakeReader());
    this.closed = this.#closed.promise;
    this.#line = new Line(options, environment, {
      onState: (state) => this.#onState(state, environment),
      onOpen: () => this.#opened.resolve(),
      onEvent: (event) => this.#inOrder.run(event),
      onComment: (text) => this.#consumers.comments.call("*", text),
      ready: (isShared) => this.#ready(isShared),
      isFull: () => this.#consumers.full,
      overflow: () => this.#consumers.overflow(),
    });
    if (options.signal?.aborted) this.#line.close("aborted");
    else options.signal?.addEventListener("abort", () => this.#line.close("aborted"), { once: true });
  }

  /** Resolves when the first connection is open. Rejects if the stream is closed before that. */
  get opened(): Promise<void> {
    this.#start();
    return this.#opened.promise;
  }

  /** The state of the stream, as `onStatus` reports it. */
  get status(): StreamStatus {
    return this.#status;
  }

  /**
   * The position up to which all consumers have received the stream: store it, and pass it as `after` later. Empty before
   * the first event with an id.
   */
  get cursor(): string {
    // An event whose validation is under way was not received yet, although the connection is past it.
    const isBusy = this.#inOrder.pending !== null;
    return this.#consumers.cursorUpTo(isBusy ? "" : this.#line.cursor);
  }

  /**
   * Calls `listener` with the data of each event of a type, and the event. `"*"` stands for all types.
   *
   * @returns Removes the listener.
   */
  on<T extends EventTypeOf<C>>(
    type: T,
    listener: (data: EventDataOf<C, T>, event: EventOfType<C, T>) => void,
  ): () => void;
  on(type: "*", listener: (event: StreamEvent<C>) => void): () => void;
  on(type: string, listener: (...args: never[]) => void): () => void {
    const remove = this.#consumers.listen(type, listener);
    this.#start();
    return remove;
  }

  /** As {@link on}, for one event. */
  once<T extends EventTypeOf<C>>(
    type: T,
    listener: (data: EventDataOf<C, T>, event: EventOfType<C, T>) => void,
  ): () => void {
    if (typeof listener !== "function") return this.on(type, listener);
    const remove = this.on(type, (data, event) => {
      remove();
      listener(data, event);
    });
    return remove;
  }

  /** Calls `listener` with each loss, in order with the events around it. @returns Removes the listener. */
  onLoss(listener: (loss: StreamLoss) => void): () => void {
    return this.#consumers.losses.add("*", listener);
  }

  /** Calls `listener` with each change of the status. @returns Removes the listener. */
  onStatus(listener: (status: StreamStatus) => void): () => void {
    return this.#consumers.statuses.add("*", listener);
  }

  /** Calls `listener` with each comment, for debugging. @returns Removes the listener. */
  onComment(listener: (text: string) => void): () => void {
    return this.#consumers.comments.add("*", listener);
  }

  /**
   * A bounded loop over the events. Leaving it ends only the iteration. It throws the error of a stream that failed,
   * after the events that came before.
   */
  events<T extends EventTypeOf<C> = EventTypeOf<C>>(
    options: IterationOptions<T> = {},
  ): AsyncGenerator<EventOfType<C, T>, void, undefined> {
    return iterate(this.#buffer(options));
  }

  /** As {@link events}, with all waiting events at once: for high rates. */
  batches<T extends EventTypeOf<C> = EventTypeOf<C>>(
    options: IterationOptions<T> = {},
  ): AsyncGenerator<EventOfType<C, T>[], void, undefined> {
    return iterate(this.#buffer(options), true);
  }

  /** Iterates over all events, as {@link Subscription.events} does. */
  [Symbol.asyncIterator](): AsyncGenerator<StreamEvent<C>, void, undefined> {
    return iterate(this.#buffer({}));
  }

  /**
   * Opens a new connection at once, in place of the one that there is, and resumes at the same position. It is meant for a "try now"
   * button, and for rights or headers that have changed. A shared connection is replaced for all that share it.
   *
   * A stream that waits makes its next attempt now, or at the end of the delay that the server has asked for: `retryAt` of
   * {@link status} has the time. Before the first consumer, after the end, and during an attempt, it does nothing.
   *
   * @example
   * ```ts fragment
   * import { subscribe } from "sourcecast/client";
   *
   * const stream = subscribe("/events");
   * document.querySelector("#try-now")?.addEventListener("click", () => stream.reconnect());
   * ```
   */
  reconnect(): void {
    this.#line.lane?.reconnect();
  }

  /** Ends the stream. Calling it again does nothing. */
  close(): void {
    this.#line.close("closed");
  }

  /** Calls {@link Subscription.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Connects in the microtask after the first consumer, so that those of one turn all receive the first event. */
  #start(): void {
    if (this.#started) return;
    this.#started = true;
    queueMicrotask(() => {
      if (!this.#line.isClosed) placeLine(this.#line);
    });
  }

  #buffer(options: IterationOptions): EventBuffer {
    const buffer = this.#consumers.buffer(options);
    // A loop that begins after the end sees the error, and no events.
    if (this.#status.state === "closed") buffer.end(this.#status.error);
    this.#start();
    return buffer;
  }

  /** Events, losses and ends in the order in which they arrive. Returns a promise where a schema is asynchronous. */
  #handle(event: ParsedEvent): Promise<void> | undefined {
    const { type, lastEventId } = event;
    const isLoss = type === "sse:gap" || type === "sse:reset";
    const isEnd = type === "sse:end";
    if (!isLoss && !isEnd && type !== "sse:checkpoint") return this.#deliver(event);
    this.#consumers.moveTo(lastEventId);
    if (isLoss) this.#consumers.losses.call("*", toLoss(event));
    if (isEnd) this.#handleEnd(readControlData(event));
    return undefined;
  }

  /** The stream ends when all channels that it asked for have ended, or when the server ends it as a whole. */
  #handleEnd({ channel, reason }: Record<string, unknown>): void {
    const isWhole = channel === undefined;
    if (!isWhole && reason !== undefined) this.#forbidden.push(String(channel));
    if (!isWhole && (this.#options.channels.length === 0 || this.#line.channels.size > 0)) return;
    if (this.#forbidden.length === 0) this.#line.close("ended");
    else this.#line.close("failed", forbiddenError(this.#forbidden));
  }

  #deliver(parsed: ParsedEvent): Promise<void> | undefined {
    const decoded = decodeEvent(parsed, this.#options);
    if (decoded instanceof Promise) return decoded.then((settled) => this.#hand(parsed, settled));
    this.#hand(parsed, decoded);
    return undefined;
  }

  /** @param event `null` for one that does not fit the contract: it counts as received. */
  #hand({ lastEventId }: ParsedEvent, event: TextEvent | null): void {
    if (event === null) this.#consumers.moveTo(lastEventId);
    else this.#consumers.deliver(event);
  }

  #ready(isShared: boolean): Promise<void> | undefined {
    if (this.#canRead(isShared)) return undefined;
    return new Promise((resolve) => {
      this.#whenReady = resolve;
    });
  }

  /** A shared connection does not wait for loops: one that is full leaves it. */
  #canRead(isShared: boolean): boolean {
    return this.#inOrder.pending === null && (isShared || !this.#consumers.full);
  }

  #wakeReader(): void {
    if (!this.#canRead(this.#line.lane?.isShared === true)) return;
    const resolve = this.#whenReady;
    this.#whenReady = null;
    resolve?.();
  }

  #onState(state: ReconnectState, environment: Environment): void {
    const status = statusOf(state, environment);
    if (isSameStatus(status, this.#status)) return;
    this.#status = status;
    if (status.state === "closed") this.#end(state, status);
    this.#consumers.statuses.call("*", status);
  }

  #end({ closedBy }: ReconnectState, { error }: StreamStatus): void {
    this.#whenReady?.();
    this.#opened.reject(error ?? new Error(`The stream was closed before it was open: ${closedBy}`));
    const failure = closedBy === "failed" ? error : undefined;
    const finish = (): void => {
      this.#consumers.end(failure);
      this.#closed.resolve({ reason: closedBy ?? "closed", error: failure });
    };
    // Events that arrived before the end are delivered before it.
    if (this.#inOrder.pending === null) finish();
    else void this.#inOrder.pending.then(finish);
  }
}
