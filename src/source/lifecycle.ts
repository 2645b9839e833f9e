import type { ServerSentEvent } from "./event.ts";

/**
 * Why a source is closed: `"closed"` by the application unless it gave a reason of its own, `"disconnected"` by the client
 * or the network, `"overflow"` because the client read too slowly, `"stalled"` because it stopped reading, `"unread"`
 * because its response was not returned from the route, `"shutdown"` because the process ends.
 */
export type CloseReason = "closed" | "disconnected" | "overflow" | "stalled" | "unread" | "shutdown" | (string & {});

/** Heard once by the listeners of a source, whatever ended it. */
export class SourceCloseEvent extends Event {
  readonly reason: CloseReason;

  constructor(reason: CloseReason) {
    super("close");
    this.reason = reason;
  }
}

/** Something failed in the background of a source, such as the producer of a `pipe`. A client that left is no error. */
export class SourceErrorEvent extends Event {
  readonly error: unknown;

  constructor(error: unknown) {
    super("error");
    this.error = error;
  }
}

/** The client reads too slowly: the next frame would exceed `maxBufferedBytes`. */
export class SourceOverflowEvent extends Event {
  /** Bytes that wait for the client, without the frame that did not fit. */
  readonly bufferedAmount: number;
  /** Events that were dropped on this source so far. */
  readonly dropped: number;

  constructor(bufferedAmount: number, dropped: number) {
    super("overflow");
    this.bufferedAmount = bufferedAmount;
    this.dropped = dropped;
  }
}

/** The events of a source's own life. They are heard by listeners on the server and never written. */
export interface SourceEventMap {
  open: Event;
  close: SourceCloseEvent;
  error: SourceErrorEvent;
  overflow: SourceOverflowEvent;
  drain: Event;
}

/** As in the DOM standard, for programs without its types. */
export type ListenerOptions = boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal };

const lifecycleEvents: ReadonlySet<string> = new Set(["open", "close", "error", "overflow", "drain"]);

/** A wire event of such a type is written but not heard locally: the two are never mixed up. */
export function isLifecycleEvent(type: string): type is keyof SourceEventMap {
  return lifecycleEvents.has(type);
}

/** Has a life event heard. It is made only where somebody listens. */
export let emit: (target: LifecycleTarget, type: keyof SourceEventMap, make: () => Event) => void;

/** Keeps what happens while the target is made, when nobody can listen yet, for the first who does; `null` when it is over. */
export let holdForFirstListener: (target: LifecycleTarget, happened: HeldEvent | null) => void;

interface HeldEvent {
  readonly type: keyof SourceEventMap;
  make(): Event;
}

/** An `EventTarget` that knows to which types anybody listens. */
export class LifecycleTarget extends EventTarget {
  #listenedTypes: Set<string> | null = null;
  #held: HeldEvent | null = null;

  static {
    emit = (target, type, make) => {
      // Not through the method of a class above, which may write what it is given.
      if (target.#listenedTypes?.has(type)) EventTarget.prototype.dispatchEvent.call(target, make());
    };
    holdForFirstListener = (target, happened) => {
      target.#held = happened;
    };
  }

  override addEventListener<K extends keyof SourceEventMap>(
    type: K,
    listener: ((this: this, event: SourceEventMap[K]) => void) | { handleEvent(event: SourceEventMap[K]): void } | null,
    options?: ListenerOptions,
  ): void;
  override addEventListener(
    type: string,
    listener: ((this: this, event: ServerSentEvent) => void) | { handleEvent(event: ServerSentEvent): void } | null,
    options?: ListenerOptions,
  ): void;
  override addEventListener(type: string, listener: unknown, options?: ListenerOptions): void {
    super.addEventListener(type, listener as (event: Event) => void, options);
    this.#listenedTypes ??= new Set();
    if (this.#listenedTypes.has(type)) return;
    this.#listenedTypes.add(type);
    if (type === this.#held?.type) queueMicrotask(() => this.#fireHeld());
  }

  #fireHeld(): void {
    if (this.#held !== null) emit(this, this.#held.type, this.#held.make);
  }
}
