// subscribe(): a stream of events that reconnects, resumes, and knows what it missed.
import type { AnyContract, ClientEventsOf } from "../wire/contract.ts";
import type { ParsedEvent } from "../wire/parse.ts";
import { Connection, errorOf } from "./connection.ts";
import { decodeEvent } from "./decode-event.ts";
import { type Environment, runtime } from "./environment.ts";
import {
  type StreamClosed,
  type StreamEvent,
  type StreamLoss,
  type StreamStatus,
  type TextEvent,
  toTextEvent,
} from "./events.ts";
import { type BufferOwner, EventBuffer, type IterationOptions, iterate, iterateBatches } from "./iterators.ts";
import { Listeners, reportListenerError } from "./listeners.ts";
import { type ResolvedSubscribeOptions, resolveSubscribeOptions, type SubscribeOptions } from "./options.ts";
import { DeliveredPosition } from "./position.ts";
import type { ReconnectState } from "./reconnect.ts";
import type { PerAttempt } from "./request.ts";

/**
 * Subscribes to a stream of events: of a hub, of any other server of event streams. It connects with the first consumer,
 * reconnects for as long as it takes, resumes where it was, and reports what it could not receive.
 *
 * @param url The address, or an (async) function that gives it for each attempt.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for options that are unknown or have values that are not allowed.
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

/** @internal The event types of a contract, any string without one. */
type EventTypeOf<C> = C extends AnyContract ? keyof ClientEventsOf<C> & string : string;
/** @internal The data of an event type, a string without a contract. */
type EventDataOf<C, T> = C extends AnyContract
  ? T extends keyof ClientEventsOf<C>
    ? ClientEventsOf<C>[T]
    : never
  : string;
/** @internal The events of one type. */
type EventOfType<C extends AnyContract | undefined, T> = C extends AnyContract
  ? Extract<StreamEvent<C>, { type: T }>
  : TextEvent;

/** A stream of events, from the client's side. */
export class Subscription<C extends AnyContract | undefined = undefined> implements AsyncIterable<StreamEvent<C>> {
  /** Resolves when the stream ends, with the reason. Never rejects. */
  readonly closed: Promise<StreamClosed>;
  readonly #options: ResolvedSubscribeOptions;
  readonly #connection: Connection;
  readonly #position: DeliveredPosition;
  readonly #events = new Listeners<[data: unknown, event: TextEvent]>();
  readonly #losses = new Listeners<[loss: StreamLoss]>();
  readonly #statuses = new Listeners<[status: StreamStatus]>();
  readonly #comments = new Listeners<[text: string]>();
  readonly #buffers = new Set<EventBuffer>();
  readonly #endedChannels = new Set<string>();
  #status: StreamStatus;
  #started = false;
  /** The position after the last event that listeners received. */
  #lastEventId: string;
  /** Asynchronous validation that is under way: events wait for it in order. */
  #decoding: Promise<void> | null = null;
  #whenReady: (() => void) | null = null;
  readonly #opened = withResolvers<void>();
  #resolveClosed: (closed: StreamClosed) => void = () => {};

  /** @internal Use {@link subscribe}. */
  constructor(options: ResolvedSubscribeOptions, environment: Environment) {
    this.#options = options;
    this.#lastEventId = options.after;
    this.#position = new DeliveredPosition(options.after);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    // A stream that is closed before it opens is not an unhandled rejection.
    this.#opened.promise.catch(() => {});
    this.#connection = new Connection(
      options,
      environment,
      {
        onState: (state) => this.#onState(state, environment),
        onOpen: () => this.#opened.resolve(),
        onEvent: (event) => this.#onEvent(event),
        onComment: (text) => this.#comments.call("*", text),
        ready: () => this.#ready(),
      },
      options.after,
    );
    this.#status = { state: "connecting", attempt: 0, retryAt: undefined, error: undefined };
    const { signal } = options;
    if (signal?.aborted) this.#connection.close("aborted");
    else signal?.addEventListener("abort", () => this.#connection.close("aborted"), { once: true });
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
    for (const buffer of this.#buffers) if (buffer.pending) return buffer.lastEventId;
    return this.#lastEventId;
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
    this.#start();
    const call =
      type === "*"
        ? (_: unknown, event: TextEvent) => (listener as (event: TextEvent) => void)(event)
        : (listener as (data: unknown, event: TextEvent) => void);
    return this.#events.add(type, call);
  }

  /** As {@link on}, for one event. */
  once<T extends EventTypeOf<C>>(
    type: T,
    listener: (data: EventDataOf<C, T>, event: EventOfType<C, T>) => void,
  ): () => void {
    const remove = this.on(type, (data, event) => {
      remove();
      listener(data, event);
    });
    return remove;
  }

  /** Calls `listener` with each loss, in order with the events around it. @returns Removes the listener. */
  onLoss(listener: (loss: StreamLoss) => void): () => void {
    return this.#losses.add("*", listener);
  }

  /** Calls `listener` with each change of the status. @returns Removes the listener. */
  onStatus(listener: (status: StreamStatus) => void): () => void {
    return this.#statuses.add("*", listener);
  }

  /** Calls `listener` with each comment, for debugging. @returns Removes the listener. */
  onComment(listener: (text: string) => void): () => void {
    return this.#comments.add("*", listener);
  }

  /**
   * A bounded loop over the events. Leaving it ends the iteration, and nothing else. It throws the error of a stream that
   * failed, after the events that came before.
   */
  events<T extends EventTypeOf<C> = EventTypeOf<C>>(
    options: IterationOptions<T> = {},
  ): AsyncGenerator<EventOfType<C, T>, void, undefined> {
    return iterate(this.#buffer(options));
  }

  /** As {@link events}, with all events that wait at a time: for high rates. */
  batches<T extends EventTypeOf<C> = EventTypeOf<C>>(
    options: IterationOptions<T> = {},
  ): AsyncGenerator<EventOfType<C, T>[], void, undefined> {
    return iterateBatches(this.#buffer(options));
  }

  /** Iterates over all events, as {@link Subscription.events} does. */
  [Symbol.asyncIterator](): AsyncGenerator<StreamEvent<C>, void, undefined> {
    return iterate(this.#buffer({}));
  }

  /** Ends the stream. Calling it again does nothing. */
  close(): void {
    this.#connection.close("closed");
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
      if (this.#connection.state.phase !== "closed") this.#connection.start();
    });
  }

  #buffer(options: IterationOptions): EventBuffer {
    const owner: BufferOwner = {
      onRoom: () => this.#wakeReader(),
      onLeave: (buffer) => {
        this.#buffers.delete(buffer);
        this.#wakeReader();
      },
      onOverflow: (missed) => this.#lose({ kind: "overflow", missed }),
    };
    const buffer = new EventBuffer(options, this.#lastEventId, owner);
    if (this.#status.state === "closed") buffer.end(this.#status.error);
    else this.#buffers.add(buffer);
    this.#start();
    return buffer;
  }

  #onEvent(event: ParsedEvent): void {
    if (this.#decoding !== null) {
      this.#decoding = this.#decoding.then(() => this.#handle(event));
      return;
    }
    const decoding = this.#handle(event);
    if (decoding !== undefined) this.#trackDecoding(decoding);
  }

  /** Events, losses and ends in the order in which they arrive. Returns a promise where a schema is asynchronous. */
  #handle(event: ParsedEvent): Promise<void> | undefined {
    switch (event.type) {
      case "sse:gap":
      case "sse:reset":
        return this.#handleLoss(event);
      case "sse:checkpoint":
        this.#position.moveTo(event);
        this.#lastEventId = event.lastEventId;
        return undefined;
      case "sse:later":
        this.#connection.later(Number(readData(event).retryAfter) || 0);
        return undefined;
      case "sse:end":
        return this.#handleEnd(event);
      default:
        return this.#position.accept(event) ? this.#deliver(event) : undefined;
    }
  }

  #handleLoss(event: ParsedEvent): undefined {
    this.#position.moveTo(event);
    this.#lastEventId = event.lastEventId;
    const kind = event.type === "sse:gap" ? "gap" : "reset";
    this.#lose({ kind, ...readData(event) } as StreamLoss);
  }

  /** The stream ends when all channels that it asked for have ended, or when the server ends it as a whole. */
  #handleEnd(event: ParsedEvent): undefined {
    if (!this.#position.accept(event)) return;
    this.#lastEventId = event.lastEventId;
    const { channel } = readData(event) as { channel?: string };
    const { channels } = this.#options;
    if (channel !== undefined) this.#endedChannels.add(channel);
    const isOver =
      channel === undefined || (channels.length > 0 && channels.every((name) => this.#endedChannels.has(name)));
    if (isOver) this.#connection.close("ended");
  }

  #deliver(parsed: ParsedEvent): Promise<void> | undefined {
    const event = toTextEvent(parsed);
    const decoded = decodeEvent(event, this.#options);
    if (decoded instanceof Promise) return decoded.then((settled) => this.#hand(parsed, settled));
    this.#hand(parsed, decoded);
    return undefined;
  }

  #hand({ type, lastEventId }: ParsedEvent, event: TextEvent | null): void {
    if (event !== null) {
      for (const buffer of this.#buffers) buffer.push(event);
      this.#events.call(type, event.data, event);
    }
    this.#lastEventId = lastEventId;
  }

  #lose(loss: StreamLoss): void {
    this.#losses.call("*", loss);
  }

  #trackDecoding(decoding: Promise<void>): void {
    const tracked = decoding.catch(reportListenerError).then(() => {
      if (this.#decoding !== tracked) return;
      this.#decoding = null;
      this.#wakeReader();
    });
    this.#decoding = tracked;
  }

  #ready(): Promise<void> | undefined {
    if (this.#canRead()) return undefined;
    return new Promise((resolve) => {
      this.#whenReady = resolve;
    });
  }

  #canRead(): boolean {
    if (this.#decoding !== null) return false;
    for (const buffer of this.#buffers) if (buffer.full) return false;
    return true;
  }

  #wakeReader(): void {
    if (!this.#canRead()) return;
    const resolve = this.#whenReady;
    this.#whenReady = null;
    resolve?.();
  }

  #onState(state: ReconnectState, environment: Environment): void {
    const status = statusOf(state, this.#connection?.stale === true, environment);
    const before = this.#status;
    const isSame =
      status.state === before.state &&
      status.attempt === before.attempt &&
      status.retryAt === before.retryAt &&
      status.error?.message === before.error?.message;
    if (isSame) return;
    this.#status = status;
    if (status.state === "closed") this.#end(state, status);
    this.#statuses.call("*", status);
  }

  #end({ closedBy }: ReconnectState, { error }: StreamStatus): void {
    this.#whenReady?.();
    this.#opened.reject(error ?? new Error(`The stream was closed before it was open: ${closedBy}`));
    const isFailed = closedBy === "failed";
    const finish = (): void => {
      for (const buffer of this.#buffers) buffer.end(isFailed ? error : undefined);
      this.#resolveClosed({ reason: closedBy ?? "closed", error: isFailed ? error : undefined });
    };
    if (this.#decoding === null) finish();
    else void this.#decoding.then(finish);
  }
}

function statusOf(state: ReconnectState, stale: boolean, environment: Environment): StreamStatus {
  const { phase, attempt, retryAt, paused } = state;
  const open = paused ? "paused" : stale ? "stale" : "open";
  const waiting = environment.online() ? "retrying" : "offline";
  return {
    state: phase === "open" ? open : phase === "waiting" ? waiting : phase,
    attempt: phase === "open" ? 0 : attempt,
    retryAt: phase === "waiting" && Number.isFinite(retryAt) ? retryAt : undefined,
    error: errorOf(state),
  };
}

/** The data of a control event: an object, whatever arrives. */
function readData({ data }: ParsedEvent): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function withResolvers<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
