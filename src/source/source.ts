// The application's handle on one open stream.
import { SourcecastTypeError } from "../base/errors.ts";
import type { HeaderOverrides } from "../http/headers.ts";
import { assertRequest, type RequestLike, readLastEventId } from "../http/request.ts";
import type { Exchange } from "../sinks/exchange.ts";
import { WebSink } from "../sinks/web.ts";
import { assertNotReserved, encodeComment } from "../wire/encode.ts";
import type { DispatchArguments, EventMap, EventType } from "../wire/event-types.ts";
import { Frame } from "../wire/frame.ts";
import { type EventOptions, encodeFrame, frameOf, ServerSentEvent } from "./event.ts";
import {
  type CloseReason,
  isLifecycleEvent,
  type ListenerOptions,
  SourceErrorEvent,
  type SourceEventMap,
  type SourceListener,
  type WireEventListener,
} from "./lifecycle.ts";
import { resolveOptions, type SourceArgument } from "./options.ts";
import { type Pipeable, type PipeOptions, type PipeResult, type PipeTarget, pipe } from "./pipe.ts";
import { Stream } from "./stream.ts";

// biome-ignore lint/suspicious/noExplicitAny: a source of any contract
export type AnySource = EventSource<any>;

let readStream: (source: AnySource) => Stream;

/** The engine of a source: for the library, out of reach for applications. */
export function streamOf(source: AnySource): Stream {
  return readStream(source);
}

/** A handle on a stream that is already open. */
export function sourceOf(stream: Stream): EventSource {
  return new EventSource(stream as never);
}

/**
 * The server's end of one event stream: what is dispatched here, a browser's `EventSource` hears.
 *
 * It is open as soon as it is made, or closed at once where the client has left already. Nothing that the client or the
 * network does makes a method throw or reject.
 *
 * @example
 * ```ts
 * import { EventSource } from "sourcecast";
 *
 * export function GET(request: Request): Response {
 *   const source = new EventSource(request);
 *   source.dispatch("greeting", { hello: "world" });
 *   return source.response();
 * }
 * ```
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventSource<E extends EventMap = false> extends EventTarget implements AsyncDisposable {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;

  /** When it was made, in milliseconds of Unix time. */
  readonly createdAt: number = Date.now();

  readonly #stream: Stream;

  static {
    readStream = (source) => source.#stream;
  }

  /**
   * @param request The request that asks for the stream.
   * @param options The keep-alive in milliseconds, a render function, or {@link SourceOptions} and {@link ContractOptions}.
   * @throws {SourcecastTypeError} for anything that is no web request, and for options with values that are not allowed.
   */
  constructor(request: RequestLike | Exchange, options?: SourceArgument<E>) {
    super();
    this.#stream = openStream(request, options);
    this.#stream.handle = this;
  }

  get CONNECTING(): 0 {
    return 0;
  }

  get OPEN(): 1 {
    return 1;
  }

  get CLOSED(): 2 {
    return 2;
  }

  /** The address that was asked for. */
  get url(): string {
    return this.#stream.request.url;
  }

  /** True when the request carried cookies or authorization. */
  get withCredentials(): boolean {
    const { headers } = this.#stream.request;
    return headers.get("cookie") !== null || headers.get("authorization") !== null;
  }

  /** Id of the last event that the client got before: from its header, or the query parameter `lastEventId`; else `""`. */
  get lastEventId(): string {
    return readLastEventId(this.#stream.request);
  }

  /** `OPEN` (1), then `CLOSED` (2). */
  get readyState(): 1 | 2 {
    return this.closeReason === null ? EventSource.OPEN : EventSource.CLOSED;
  }

  /** Why it is closed, or `null` while it is open. */
  get closeReason(): CloseReason | null {
    return this.#stream.closeReason;
  }

  /** Bytes that were dispatched and that neither the operating system nor the reader of the body has taken. */
  get bufferedAmount(): number {
    return this.#stream.sink.bufferedAmount;
  }

  /** Events that were left out because the client read too slowly (`onOverflow: "drop"`). */
  get dropped(): number {
    return this.#stream.dropped;
  }

  /** Aborted when the source closes, with a `SourceCloseEvent`'s reason as its own. */
  get signal(): AbortSignal {
    return this.#stream.signal;
  }

  override addEventListener<K extends keyof SourceEventMap>(
    type: K,
    listener: SourceListener<this, SourceEventMap[K]>,
    options?: ListenerOptions,
  ): void;
  override addEventListener(type: string, listener: WireEventListener<this>, options?: ListenerOptions): void;
  override addEventListener(type: string, listener: unknown, options?: ListenerOptions): void {
    super.addEventListener(type, listener as (event: Event) => void, options);
    this.#stream.listensTo(type);
  }

  /**
   * Sends an event.
   *
   * @param data A string as it is, `undefined` as empty, anything else through `render` or as JSON.
   * @returns false when the source is closed or the event was dropped.
   * @throws {SourcecastTypeError} when the event cannot be written, before anything is.
   */
  dispatch<T extends EventType<E>>(type: T, ...rest: DispatchArguments<E, T, EventOptions>): boolean;
  dispatch(type: string, data?: unknown, options?: EventOptions): boolean {
    const stream = this.#stream;
    if (stream.closeReason !== null) return false;
    const { render, events } = stream.options;
    return stream.deliver(encodeFrame(type, data, options, render, events));
  }

  /** Sends data under the type that clients hear as `message`. */
  dispatchMessage(...rest: DispatchArguments<E, "message", EventOptions>): boolean;
  dispatchMessage(data?: unknown, options?: EventOptions): boolean {
    return (this as EventSource).dispatch("message", data, options);
  }

  /** Sends a comment: clients ignore it, people who debug see it. */
  dispatchComment(comment = ""): boolean {
    if (this.#stream.closeReason !== null) return false;
    return this.#stream.deliver(Frame.of(encodeComment(comment)));
  }

  /**
   * Sends a {@link ServerSentEvent} after the local listeners of its type have heard it; a cancelable one that a listener
   * cancels is not sent. Any other event is for local listeners alone.
   *
   * @returns false when it was cancelled, or not sent because the source is closed.
   */
  override dispatchEvent(event: Event): boolean {
    if (!(event instanceof ServerSentEvent)) return super.dispatchEvent(event);
    assertNotReserved(event.type);
    if (this.#stream.closeReason !== null) return false;
    const frame = frameOf(event, this.#stream.options.events);
    const isCancelled = !isLifecycleEvent(event.type) && !super.dispatchEvent(event);
    // Workers say so of an event that cannot be cancelled, too.
    if (isCancelled && event.cancelable) return false;
    return this.#stream.deliver(frame);
  }

  /**
   * Sends one event for each piece of a producer, no faster than the client reads. The producer is stopped when the client
   * leaves. The source stays open after it.
   *
   * @example
   * ```ts
   * import { EventSource } from "sourcecast";
   *
   * export function complete(request: Request, tokens: AsyncIterable<string>): Response {
   *   const source = new EventSource(request);
   *   source.pipe(tokens, { type: "token", end: "done" }).then(() => source.close());
   *   return source.response();
   * }
   * ```
   */
  async pipe<T>(pieces: Pipeable<T>, options?: PipeOptions<T, EventType<E>>): Promise<PipeResult> {
    const stream = this.#stream;
    const target: PipeTarget = {
      dispatch: (type, data) => this.#dispatchPaced(type, data),
      ready: () => stream.ready(),
      signal: stream.signal,
      get closeReason() {
        return stream.closeReason;
      },
    };
    const result = await pipe(pieces, target, options);
    if (result.ended === "failed") stream.fire("error", () => new SourceErrorEvent(result.error));
    return result;
  }

  /**
   * The response to return from the route: 200, `text/event-stream`. To be called once.
   *
   * @param init Headers over those of the source's options, or another status.
   */
  response(init: { headers?: HeaderOverrides; status?: number; statusText?: string } = {}): Response {
    const { sink } = this.#stream;
    if (sink instanceof WebSink) return sink.response(init);
    throw new SourcecastTypeError(
      "ERR_SSE_RESPONSE_USED",
      "This source writes to a response of node:http; response() belongs to a source made from a web Request",
    );
  }

  /**
   * Ends the stream after what was dispatched. The client reconnects after its retry time, unless it is told otherwise.
   *
   * @returns A promise that never rejects, resolved when the end has left or cannot.
   */
  close(reason: CloseReason = "closed"): Promise<void> {
    return this.#stream.close(reason);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Resolves when the client takes more; `undefined` when it does now. */
  ready(): Promise<void> | undefined {
    return this.#stream.ready();
  }

  /** For a producer that waits for its reader: its events do not overflow. */
  #dispatchPaced(type: string, data: unknown): boolean {
    const stream = this.#stream;
    if (stream.closeReason !== null) return false;
    const frame = encodeFrame(type, data, undefined, stream.options.render, stream.options.events);
    stream.declareDropped();
    stream.write(frame);
    return true;
  }
}

function openStream<E extends EventMap>(request: RequestLike | Exchange | Stream, options?: SourceArgument<E>): Stream {
  if (request instanceof Stream) return request;
  if (isExchange(request)) return new Stream(request, resolveOptions(options));
  assertRequest(request);
  const resolved = resolveOptions(options);
  return new Stream({ request, sink: new WebSink(request.signal) }, resolved);
}

function isExchange(request: RequestLike | Exchange): request is Exchange {
  return typeof request === "object" && request !== null && "sink" in request;
}
