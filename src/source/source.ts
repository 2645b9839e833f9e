// The application's handle on one open stream.
import { SourcecastTypeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
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
import { assertTwoArguments, resolveOptions, responseInitChecks, type SourceArgument } from "./options.ts";
import { type Pipeable, type PipeOptions, type PipeResult, type PipeTarget, pipe } from "./pipe.ts";
import { Stream } from "./stream.ts";

// biome-ignore lint/suspicious/noExplicitAny: a source of any contract
export type AnySource = EventSource<any>;

let readStream: (source: AnySource) => Stream;

/** Returns the engine of a source. Applications cannot reach it. */
export function streamOf(source: AnySource): Stream {
  return readStream(source);
}

/** Creates a handle on a stream that is already open. */
export function sourceOf(stream: Stream): EventSource {
  return new EventSource(stream as never);
}

/**
 * The server's end of one event stream. A browser's `EventSource` receives the events that are dispatched here.
 *
 * A source is open as soon as it is created, or closed if the client has already disconnected. No method throws or rejects
 * because of the client or the network.
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
  /** The state of a client that is not connected; a source never has it. */
  static readonly CONNECTING = 0;
  /** The state of an open source. */
  static readonly OPEN = 1;
  /** The state of a closed source. */
  static readonly CLOSED = 2;

  /** When the source was created, in milliseconds of Unix time. */
  readonly createdAt: number = Date.now();

  readonly #stream: Stream;

  static {
    readStream = (source) => source.#stream;
  }

  /**
   * @param request The request that asks for the stream.
   * @param options The keep-alive in milliseconds, a render function, or {@link SourceOptions} and {@link ContractOptions}.
   * @throws {SourcecastTypeError} `ERR_SSE_ARGUMENT` for a value that is not a web request, `ERR_SSE_OPTION` for an invalid
   * option.
   */
  constructor(request: RequestLike | Exchange, options?: SourceArgument<E>) {
    super();
    // biome-ignore lint/complexity/noArguments: a rest parameter would cost an array for each source
    assertTwoArguments(arguments.length);
    this.#stream = openStream(request, options);
  }

  /** The constant of the class. */
  get CONNECTING(): 0 {
    return 0;
  }

  /** The constant of the class. */
  get OPEN(): 1 {
    return 1;
  }

  /** The constant of the class. */
  get CLOSED(): 2 {
    return 2;
  }

  /** The URL of the request. */
  get url(): string {
    return this.#stream.request.url;
  }

  /** True if the request carries cookies or an `Authorization` header. */
  get withCredentials(): boolean {
    const { headers } = this.#stream.request;
    return headers.get("cookie") !== null || headers.get("authorization") !== null;
  }

  /**
   * The id of the last event that the client received before it reconnected, from the header `Last-Event-ID` or the query
   * parameter `lastEventId`; `""` for a new client.
   */
  get lastEventId(): string {
    return readLastEventId(this.#stream.request);
  }

  /** `EventSource.OPEN` (1), then `EventSource.CLOSED` (2). */
  get readyState(): 1 | 2 {
    return this.closeReason === null ? EventSource.OPEN : EventSource.CLOSED;
  }

  /** Why the source is closed, or `null` while it is open. */
  get closeReason(): CloseReason | null {
    return this.#stream.closeReason;
  }

  /** Dispatched bytes that neither the operating system nor the reader of the body has accepted yet. */
  get bufferedAmount(): number {
    return this.#stream.sink.bufferedAmount;
  }

  /** Number of events that were dropped because the client read too slowly (`onOverflow: "drop"`). */
  get dropped(): number {
    return this.#stream.dropped;
  }

  /** A signal that is aborted when the source closes, with the close reason as its reason. */
  get signal(): AbortSignal {
    return this.#stream.signal;
  }

  /**
   * Adds a listener for a lifecycle event ({@link SourceEventMap}), or for events that `dispatchEvent()` is about to send. The
   * first listener for `open` is called although the source is open already, and so is the first one for `close` on a source
   * whose client had disconnected before it was created.
   */
  override addEventListener<K extends keyof SourceEventMap>(
    type: K,
    listener: SourceListener<this, SourceEventMap[K]>,
    options?: ListenerOptions,
  ): void;
  override addEventListener(type: string, listener: WireEventListener<this>, options?: ListenerOptions): void;
  override addEventListener(type: string, listener: unknown, options?: ListenerOptions): void {
    super.addEventListener(type, listener as (event: Event) => void, options);
    this.#stream.listensTo(type, this);
  }

  /**
   * Sends an event.
   *
   * @param type The event type.
   * @param data A string is sent as it is, `undefined` as empty data, and any other value through `render` or as JSON.
   * @returns False if the source is closed or the event was dropped.
   * @throws {SourcecastTypeError} `ERR_SSE_TYPE`, `ERR_SSE_DATA`, `ERR_SSE_ID`, `ERR_SSE_RETRY`, `ERR_SSE_CONTRACT` or
   * `ERR_SSE_RENDER` for an event that cannot be sent; nothing has been written then.
   */
  dispatch<T extends EventType<E>>(type: T, ...rest: DispatchArguments<E, T, EventOptions>): boolean;
  dispatch(type: string, data?: unknown, options?: EventOptions): boolean {
    const stream = this.#stream;
    if (stream.closeReason !== null) return false;
    const { render, events } = stream.options;
    return stream.deliver(encodeFrame(type, data, options, render, events));
  }

  /** Sends data as an event of the type `message`. */
  dispatchMessage(...rest: DispatchArguments<E, "message", EventOptions>): boolean;
  dispatchMessage(data?: unknown, options?: EventOptions): boolean {
    return (this as EventSource).dispatch("message", data, options);
  }

  /** Sends a comment. Clients ignore it; it is visible when debugging. */
  dispatchComment(comment = ""): boolean {
    if (this.#stream.closeReason !== null) return false;
    return this.#stream.deliver(Frame.of(encodeComment(comment)));
  }

  /**
   * Sends a {@link ServerSentEvent} after calling the local listeners of its type. A cancelable event that a listener cancels
   * is not sent. Any other event goes to local listeners only.
   *
   * @returns False if the event was canceled, or not sent because the source is closed.
   */
  override dispatchEvent(event: Event): boolean {
    if (!(event instanceof ServerSentEvent)) return super.dispatchEvent(event);
    assertNotReserved(event.type);
    if (this.#stream.closeReason !== null) return false;
    const frame = frameOf(event, this.#stream.options.events);
    const isCancelled = !isLifecycleEvent(event.type) && !super.dispatchEvent(event);
    // Workers return false for an event that cannot be canceled, too.
    if (isCancelled && event.cancelable) return false;
    return this.#stream.deliver(frame);
  }

  /**
   * Sends one event for each piece of a producer, no faster than the client reads. The producer stops when the client
   * disconnects. The source stays open afterwards.
   *
   * @returns How the pipe ended. It does not reject when the producer fails.
   * @throws {SourcecastTypeError} `ERR_SSE_PIPE` for a value that cannot be piped.
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
   * Returns the response for the route: 200, `text/event-stream`. Call it once.
   *
   * @param init Headers that override those of the source's options, or another status.
   * @throws {SourcecastTypeError} `ERR_SSE_RESPONSE_USED` on a second call, and for a source on Node's response.
   */
  response(init: { headers?: HeaderOverrides; status?: number; statusText?: string } = {}): Response {
    checkOptions(init, responseInitChecks, "response()");
    const { sink } = this.#stream;
    if (sink instanceof WebSink) return sink.response(init);
    throw new SourcecastTypeError(
      "ERR_SSE_RESPONSE_USED",
      "This source writes to a response of node:http; response() belongs to a source made from a web Request",
    );
  }

  /**
   * Ends the stream after the events dispatched so far. The client reconnects after its retry time.
   *
   * @returns A promise that never rejects. It resolves when everything has been handed to the system, or cannot be.
   */
  close(reason: CloseReason = "closed"): Promise<void> {
    return this.#stream.close(reason);
  }

  /** Calls {@link EventSource.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Returns `undefined` while the client reads fast enough, otherwise a promise that resolves when it does again. */
  ready(): Promise<void> | undefined {
    return this.#stream.ready();
  }

  /** Writes an event of a producer that waits for its reader, and so never overflows. */
  #dispatchPaced(type: string, data: unknown): boolean | Promise<boolean> {
    const stream = this.#stream;
    if (stream.closeReason !== null) return false;
    const frame = encodeFrame(type, data, undefined, stream.options.render, stream.options.events);
    if (!(frame instanceof Frame)) return stream.deliver(frame) && frame.then(() => true);
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
