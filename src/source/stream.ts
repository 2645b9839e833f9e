// One open stream: the engine that handles, sets, hubs and adapters drive.
import { type CapturedContext, captureContext } from "../base/async-context.ts";
import { now } from "../base/clock.ts";
import { type Closable, cancelCloseOnSignal, closeOnSignal } from "../base/shutdown.ts";
import { warnOnce } from "../base/warn.ts";
import { earlyResponse, headResponse, retryLater } from "../http/early-response.ts";
import type { RequestLike } from "../http/request.ts";
import type { Exchange } from "../sinks/exchange.ts";
import { changeFanOutMark, settleFanOut } from "../sinks/fan-out.ts";
import { type IdleTarget, unwatchIdle, watchIdle } from "../sinks/idle-timer.ts";
import { highWaterMark, type Sink, type SinkOwner } from "../sinks/sink.ts";
import { Frame } from "../wire/frame.ts";
import { LateFrames, type LateFramesOwner } from "./late-frames.ts";
import { type CloseReason, LifecycleEvents, SourceCloseEvent, SourceErrorEvent } from "./lifecycle.ts";
import { drawOpening } from "./opening.ts";
import type { ResolvedOptions } from "./options.ts";
import { OverflowPolicy } from "./overflow.ts";
import { endCompression, headersOf, isHeaderLate, type StreamCompression, writeToGroup } from "./stream-compression.ts";

const emptyComment = Frame.of(":\n");

/**
 * One response that is an event stream, from its opening to its end. It knows frames, not events: whoever drives it encodes.
 * Nothing that the client or the network does makes a method throw.
 */
export class Stream extends LifecycleEvents implements SinkOwner, IdleTarget, Closable, LateFramesOwner {
  readonly request: RequestLike;
  readonly sink: Sink;
  readonly options: ResolvedOptions;
  /** Why it is closed, or `null` while it is open. */
  closeReason: CloseReason | null = null;
  compression: StreamCompression | null = null;
  /** The application's handle, for a set that has to find it. Otherwise the application alone keeps it in memory. */
  handle: EventTarget | null = null;
  #ended: Promise<void> | undefined;
  #controller: AbortController | undefined;
  #observers: StreamObserver[] | null = null;
  #overflow: OverflowPolicy | null = null;
  #waiting: (() => void)[] | null = null;
  /** Frames of an asynchronous render function, and those after them. */
  #lateFrames: LateFrames | null = null;
  #isEndingLate = false;

  /**
   * Opens the stream, or responds in its place: see `earlyResponse`. Closed from the start if the client has already left.
   *
   * @param context The async context in which the application's callbacks for this connection run.
   * @throws {SourcecastTypeError} for headers that cannot be sent, with nothing sent.
   */
  constructor({ request, sink }: Exchange, options: ResolvedOptions, context: CapturedContext = captureContext()) {
    super(context);
    this.request = request;
    this.sink = sink;
    this.options = options;
    const early =
      earlyResponse(request, options) ??
      headResponse(request, options) ??
      (sink.crowdedOut ? retryLater(request, options, "pipelined") : null);
    if (early !== null) {
      this.#closeAtStart(early.reason);
      sink.refuse(early);
    } else if (sink.gone) {
      this.#closeAtStart("disconnected");
      sink.abort();
    } else {
      this.#open();
    }
  }

  /** True while the client takes less than it is sent. */
  get full(): boolean {
    return this.sink.full;
  }

  /** True if `deliver` would do no more than write a frame: a set may do that for all its members together. */
  get canShare(): boolean {
    if (this.#lateFrames !== null || this.#overflow !== null || this.compression !== null) return false;
    return this.options.maxBufferedBytes >= highWaterMark && this.sink.canShare;
  }

  /** Events left out because the client read too slowly. */
  get dropped(): number {
    return this.#overflow?.dropped ?? 0;
  }

  /** Aborted when the stream closes, with its reason. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.closeReason !== null) this.#controller.abort(this.closeReason);
    }
    return this.#controller.signal;
  }

  /** Sends a frame within the limits of the overflow policy. False once closed, or if the frame was dropped. */
  deliver(frame: Frame | Promise<Frame>): boolean {
    if (this.closeReason !== null) return false;
    if (this.#lateFrames !== null || !(frame instanceof Frame)) {
      this.#deliverLate(frame);
      return true;
    }
    return this.#deliverNow(frame);
  }

  #deliverNow(frame: Frame): boolean {
    const mayNotFit = this.sink.full || this.#overflow !== null || this.options.maxBufferedBytes < highWaterMark;
    if (mayNotFit && !this.#makeRoom(frame)) return false;
    this.sink.write(frame);
    return true;
  }

  /** Sends a frame whatever is waiting: for callers that watch `full` themselves. `isForGroup`: see {@link writeToGroup}. */
  write(frame: Frame, isForGroup = false): void {
    if (isForGroup) writeToGroup(this, frame);
    if (this.closeReason === null) this.sink.write(frame);
  }

  /** Declares what was dropped: for a caller that is about to `write` past the overflow policy. */
  declareDropped(): void {
    this.#overflow?.declareDropped();
  }

  /** Resolves when the client takes more; `undefined` when it does now. */
  ready(): Promise<void> | undefined {
    if (this.closeReason !== null || !this.sink.full) return undefined;
    return new Promise((resolve) => {
      this.#waiting ??= [];
      this.#waiting.push(resolve);
    });
  }

  observe(observer: StreamObserver): void {
    // Most streams have one observer. A push to an empty array makes room for 17, which takes 128 B more.
    if (this.#observers?.push(observer) === undefined) this.#observers = [observer];
  }

  unobserve(observer: StreamObserver): void {
    const index = this.#observers?.indexOf(observer) ?? -1;
    if (index !== -1) this.#observers?.splice(index, 1);
  }

  /** Ends the stream after everything that was written. Resolves, never rejects, when the end has left or cannot. */
  close(reason: CloseReason): Promise<void> {
    if (this.closeReason === null) {
      this.#overflow?.declareDropped();
      this.#close(reason, () => (this.#lateFrames === null ? this.sink.end() : this.#endLate(this.#lateFrames)));
    }
    return this.#ended as Promise<void>;
  }

  // --- LateFramesOwner ---

  onRendered(frame: Frame): void {
    if (this.closeReason === null) this.#deliverNow(frame);
    // It was dispatched before the end, which waits for it.
    else if (this.#isEndingLate) this.sink.write(frame);
  }

  onRenderError(error: unknown): void {
    this.fire("error", () => new SourceErrorEvent(error));
    warnOnce(
      "render",
      `an asynchronous render function failed, and its event was not sent: ${error}. Catch the error in the function, or ` +
        "listen for the event error of the source, which has it.",
    );
  }

  #deliverLate(frame: Frame | Promise<Frame>): void {
    settleFanOut();
    changeFanOutMark();
    this.#lateFrames ??= new LateFrames(this, this.options.renderTimeout);
    const frames = this.#lateFrames;
    frames.add(frame);
    void frames.settled().then(() => {
      if (frames.isEmpty) this.#lateFrames = null;
    });
  }

  /** Ends the stream after the frames that are being rendered, which have a deadline. */
  async #endLate(frames: LateFrames): Promise<void> {
    this.#isEndingLate = true;
    await frames.settled();
    this.#isEndingLate = false;
    await this.sink.end();
  }

  // --- SinkOwner ---

  /** The path without the query, which may carry a client's secrets. */
  get path(): string {
    return this.request.url.replace(/^[a-z]+:\/\/[^/?#]*|[?#].*$/gs, "");
  }

  onGone(): void {
    this.#close("disconnected", () => {
      this.sink.abort();
      return Promise.resolve();
    });
  }

  onDrain(): void {
    this.#overflow?.onDrain();
    this.#wake();
    for (const observer of this.#observers ?? []) observer.onDrain?.(this);
    this.fire("drain", () => new Event("drain"));
  }

  onUnread(): void {
    this.close("unread");
  }

  // --- IdleTarget ---

  get idleAfter(): number {
    return this.options.keepAlive;
  }

  get lastSent(): number {
    return this.sink.lastSent;
  }

  onIdle(time: number): void {
    // A client that has bytes to read needs no keep-alive.
    if (this.sink.bufferedAmount === 0) this.sink.write(this.#idleFrame() ?? emptyComment);
    this.sink.lastSent = time;
  }

  #open(): void {
    const { sink, options } = this;
    this.hold(opened);
    sink.lastSent = now();
    sink.start(this, drawOpening(options), (preset) => headersOf(this, preset), isHeaderLate(this));
    watchIdle(this);
    if (options.closeOnSignal) closeOnSignal(this);
  }

  #closeAtStart(reason: CloseReason): void {
    this.closeReason = reason;
    this.#ended = Promise.resolve();
    this.hold({ type: "close", make: () => new SourceCloseEvent(reason) });
  }

  #close(reason: CloseReason, release: () => Promise<void>): void {
    if (this.closeReason !== null) return;
    settleFanOut();
    this.closeReason = reason;
    this.hold(null);
    unwatchIdle(this);
    const removed = cancelCloseOnSignal(this, reason === "disconnected");
    const observers = this.#observers;
    this.#observers = null;
    for (const observer of observers ?? []) observer.onClose(this, reason);
    endCompression(this);
    const ended = release();
    // An application that awaits the end of its last stream finds the process as it was before the first.
    this.#ended = removed === undefined ? ended : Promise.all([ended, removed]).then(() => undefined);
    if (this.#controller !== undefined) this.context.runInAsyncScope(abortWith, this.#controller, reason);
    this.#wake();
    this.fire("close", () => new SourceCloseEvent(reason));
  }

  #makeRoom(frame: Frame): boolean {
    changeFanOutMark();
    this.#overflow ??= new OverflowPolicy(this.sink, this.options, this.context, (event) =>
      this.fire(event.type as "overflow" | "error", () => event),
    );
    const decision = this.#overflow.admit(frame);
    if (decision === "close") this.close("overflow");
    return decision === "keep" && this.closeReason === null;
  }

  #idleFrame(): Frame | null {
    for (const observer of this.#observers ?? []) {
      const frame = observer.onIdle?.(this) ?? null;
      if (frame !== null) return frame;
    }
    return null;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    for (const resolve of waiting ?? []) resolve();
  }
}

function abortWith(this: AbortController, reason: CloseReason): void {
  this.abort(reason);
}

const opened = { type: "open", make: () => new Event("open") } as const;

/** A set or a subscription that sends through a stream, and is told what happens to it. */
export interface StreamObserver {
  onClose(stream: Stream, reason: CloseReason): void;
  /** A stream whose reader lagged has room again. */
  onDrain?(stream: Stream): void;
  /** Returns the frame to send after an idle time, or `null` for an empty comment. */
  onIdle?(stream: Stream): Frame | null;
}
