import { now } from "../base/clock.ts";
import { SourcecastTypeError } from "../base/errors.ts";
import { type Closable, cancelCloseOnSignal, closeOnSignal } from "../base/shutdown.ts";
import { earlyResponse, streamHeaders } from "../http/early-response.ts";
import type { HeaderOverrides } from "../http/headers.ts";
import { assertRequest, type RequestLike, readLastEventId } from "../http/request.ts";
import { Exchange } from "../sinks/exchange.ts";
import { unwatchIdle, watchIdle } from "../sinks/idle-timer.ts";
import { highWaterMark, type Sink } from "../sinks/sink.ts";
import { WebSink } from "../sinks/web.ts";
import { assertNotReserved, encodeComment } from "../wire/encode.ts";
import type { DispatchArguments, EventMap, EventType } from "../wire/event-types.ts";
import { Frame } from "../wire/frame.ts";
import { preambleFrame } from "../wire/preamble.ts";
import { type EventOptions, encodeFrame, frameOf, ServerSentEvent } from "./event.ts";
import { friend, Line, type StreamObserver } from "./friend.ts";
import {
  type CloseReason,
  emit,
  holdForFirstListener,
  isLifecycleEvent,
  LifecycleTarget,
  SourceCloseEvent,
  SourceErrorEvent,
} from "./lifecycle.ts";
import { type ResolvedOptions, resolveOptions, type SourceArgument } from "./options.ts";
import { OverflowPolicy } from "./overflow.ts";
import { type Pipeable, type PipeOptions, type PipeResult, type PipeTarget, pipe } from "./pipe.ts";

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
export class EventSource<E extends EventMap = false> extends LifecycleTarget implements Closable, AsyncDisposable {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSED = 2;

  /** When it was made, in milliseconds of Unix time. */
  readonly createdAt: number = Date.now();

  readonly #request: RequestLike;
  readonly #sink: Sink;
  readonly #options: ResolvedOptions;
  readonly #line: Line;
  #closeReason: CloseReason | null = null;
  #ended: Promise<void> | undefined;
  #controller: AbortController | undefined;
  #followers: StreamObserver[] | null = null;
  #backlog: OverflowPolicy | null = null;
  #waiting: (() => void)[] | null = null;
  #responded = false;

  static {
    friend.deliver = (source, frame) => source.#deliver(frame);
    friend.write = (source, frame) => {
      if (source.#closeReason === null) source.#sink.write(frame);
    };
    friend.isFull = (source) => source.#sink.full;
    friend.follow = (source, follower) => {
      source.#followers ??= [];
      source.#followers.push(follower);
    };
    friend.unfollow = (source, follower) => {
      const index = source.#followers?.indexOf(follower) ?? -1;
      if (index !== -1) source.#followers?.splice(index, 1);
    };
    friend.heartbeat = (source) => {
      for (const follower of source.#followers ?? []) {
        const frame = follower.onIdle?.(source) ?? null;
        if (frame !== null) return frame;
      }
      return null;
    };
    friend.render = (source) => source.#options.render;
    friend.contract = (source) => source.#options.events;
    friend.gone = (source) => source.#gone();
    friend.drained = (source) => source.#drained();
  }

  /**
   * @param request The request that asks for the stream.
   * @param options The keep-alive in milliseconds, a render function, or {@link SourceOptions} and {@link ContractOptions}.
   * @throws {SourcecastTypeError} for anything that is no web request, and for options with values that are not allowed.
   */
  constructor(request: RequestLike | Exchange, options?: SourceArgument<E>) {
    super();
    const isConnection = request instanceof Exchange;
    if (!isConnection) assertRequest(request);
    this.#options = (isConnection ? request.options : undefined) ?? resolveOptions(options);
    this.#request = isConnection ? request.request : request;
    this.#sink = isConnection ? request.sink : new WebSink(request.signal);
    this.#line = new Line(this, this.#sink, this.#options.keepAlive);
    this.#open();
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
    return this.#request.url;
  }

  /** True when the request carried cookies or authorization. */
  get withCredentials(): boolean {
    const { headers } = this.#request;
    return headers.get("cookie") !== null || headers.get("authorization") !== null;
  }

  /** Id of the last event that the client got before: from its header, or the query parameter `lastEventId`; else `""`. */
  get lastEventId(): string {
    return readLastEventId(this.#request);
  }

  /** `OPEN` (1), then `CLOSED` (2). */
  get readyState(): 1 | 2 {
    return this.#closeReason === null ? EventSource.OPEN : EventSource.CLOSED;
  }

  /** Why it is closed, or `null` while it is open. */
  get closeReason(): CloseReason | null {
    return this.#closeReason;
  }

  /** Bytes that were dispatched and that neither the operating system nor the reader of the body has taken. */
  get bufferedAmount(): number {
    return this.#sink.bufferedAmount;
  }

  /** Events that were left out because the client read too slowly (`onOverflow: "drop"`). */
  get dropped(): number {
    return this.#backlog?.dropped ?? 0;
  }

  /** Aborted when the source closes, with a `SourceCloseEvent`'s reason as its own. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#closeReason !== null) this.#controller.abort(this.#closeReason);
    }
    return this.#controller.signal;
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
    if (this.#closeReason !== null) return false;
    return this.#deliver(encodeFrame(type, data, options, this.#options.render, this.#options.events));
  }

  /** Sends data under the type that clients hear as `message`. */
  dispatchMessage(...rest: DispatchArguments<E, "message", EventOptions>): boolean;
  dispatchMessage(data?: unknown, options?: EventOptions): boolean {
    return (this as EventSource).dispatch("message", data, options);
  }

  /** Sends a comment: clients ignore it, people who debug see it. */
  dispatchComment(comment = ""): boolean {
    if (this.#closeReason !== null) return false;
    return this.#deliver(Frame.of(encodeComment(comment)));
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
    if (this.#closeReason !== null) return false;
    const frame = frameOf(event, this.#options.events);
    const isCancelled = !isLifecycleEvent(event.type) && !super.dispatchEvent(event);
    // Workers say so of an event that cannot be cancelled, too.
    if (isCancelled && event.cancelable) return false;
    return this.#deliver(frame);
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
    const source = this;
    const target: PipeTarget = {
      // A pipe waits for its reader by itself, so what it sends does not overflow.
      dispatch: (type, data) => this.#send(type, data),
      ready: () => this.ready(),
      signal: this.signal,
      get closeReason() {
        return source.closeReason;
      },
    };
    const result = await pipe(pieces, target, options);
    if (result.ended === "failed") emit(this, "error", () => new SourceErrorEvent(result.error));
    return result;
  }

  /**
   * The response to return from the route: 200, `text/event-stream`. To be called once.
   *
   * @param init Headers over those of the source's options, or another status.
   */
  response(init: { headers?: HeaderOverrides; status?: number; statusText?: string } = {}): Response {
    if (!(this.#sink instanceof WebSink)) {
      throw new SourcecastTypeError(
        "ERR_SSE_RESPONSE_USED",
        "This source writes to a response of node:http already; response() belongs to a source made from a web Request",
      );
    }
    if (this.#responded) {
      throw new SourcecastTypeError(
        "ERR_SSE_RESPONSE_USED",
        "The method response() was called twice; make one EventSource for each request",
      );
    }
    this.#responded = true;
    return this.#sink.response(streamHeaders(this.#request, this.#options), init);
  }

  /**
   * Ends the stream after what was dispatched. The client reconnects after its retry time, unless it is told otherwise.
   *
   * @returns A promise that never rejects, resolved when the end has left or cannot.
   */
  close(reason: CloseReason = "closed"): Promise<void> {
    if (this.#closeReason === null) {
      this.#backlog?.declareDropped();
      this.#close(reason, () => this.#sink.end());
    }
    return this.#ended as Promise<void>;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Resolves when the client takes more; at once (`undefined`) when it does now. */
  ready(): Promise<void> | undefined {
    if (this.#closeReason !== null || !this.#sink.full) return undefined;
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  #gone(): void {
    this.#close("disconnected", () => {
      this.#sink.abort();
      return Promise.resolve();
    });
  }

  #drained(): void {
    this.#backlog?.onDrain();
    this.#wake();
    for (const follower of this.#followers ?? []) follower.onDrain?.(this);
    emit(this, "drain", () => new Event("drain"));
  }

  #deliver(frame: Frame): boolean {
    if (this.#closeReason !== null) return false;
    const mayNotFit = this.#sink.full || this.#backlog !== null || this.#options.maxBufferedBytes < highWaterMark;
    if (mayNotFit && !this.#makeRoom(frame)) return false;
    this.#sink.write(frame);
    return true;
  }

  /** Sends an event whatever waits already. */
  #send(type: string, data: unknown): boolean {
    if (this.#closeReason !== null) return false;
    const frame = encodeFrame(type, data, undefined, this.#options.render, this.#options.events);
    this.#backlog?.declareDropped();
    this.#sink.write(frame);
    return true;
  }

  #open(): void {
    const refusal = earlyResponse(this.#request, this.#options);
    if (refusal !== null || this.#sink.gone) {
      const reason = this.#sink.gone || refusal === null ? "disconnected" : refusal.reason;
      this.#closeReason = reason;
      this.#ended = Promise.resolve();
      holdForFirstListener(this, { type: "close", make: () => new SourceCloseEvent(reason) });
      if (refusal === null) this.#sink.abort();
      else this.#sink.refuse(refusal);
      return;
    }
    holdForFirstListener(this, opened);
    this.#sink.lastSent = now();
    this.#sink.start(this.#line, preambleFrame(this.#options.retry(), this.#options.keepAlive), (preset) =>
      streamHeaders(this.#request, this.#options, preset),
    );
    watchIdle(this.#line);
    if (this.#options.closeOnSignal) closeOnSignal(this);
  }

  #close(reason: CloseReason, release: () => Promise<void>): void {
    if (this.#closeReason !== null) return;
    this.#closeReason = reason;
    holdForFirstListener(this, null);
    unwatchIdle(this.#line);
    cancelCloseOnSignal(this, reason === "disconnected");
    const followers = this.#followers;
    this.#followers = null;
    for (const follower of followers ?? []) follower.onClose(this, reason);
    this.#ended = release();
    this.#controller?.abort(reason);
    this.#wake();
    emit(this, "close", () => new SourceCloseEvent(reason));
  }

  #makeRoom(frame: Frame): boolean {
    this.#backlog ??= new OverflowPolicy(this.#sink, this.#options, (event) =>
      emit(this, event.type as "error", () => event),
    );
    const decision = this.#backlog.admit(frame);
    if (decision === "close") this.close("overflow");
    return decision === "keep" && this.#closeReason === null;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    for (const resolve of waiting ?? []) resolve();
  }
}

const opened = { type: "open", make: () => new Event("open") } as const;
