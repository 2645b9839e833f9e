// The lifecycle of a source: open, close, error, overflow, drain. For listeners on the server, never written.
import type { CapturedContext } from "../base/async-context.ts";
import type { ServerSentEvent } from "./event.ts";

/**
 * Why a source is closed: `"closed"` by the application unless it gave a reason of its own, `"disconnected"` by the client
 * or the network, `"overflow"` because the client read too slowly, `"stalled"` because it stopped reading, `"unread"`
 * because its response was not returned from the route, `"shutdown"` because the process ends.
 */
export type CloseReason = "closed" | "disconnected" | "overflow" | "stalled" | "unread" | "shutdown" | (string & {});

/** Fired once on a source, whatever closed it. */
export class SourceCloseEvent extends Event {
  /** Why the source closed. */
  readonly reason: CloseReason;

  /** @internal Created by a source. */
  constructor(reason: CloseReason) {
    super("close");
    this.reason = reason;
  }
}

/** Something failed in the background of a source, such as the producer of a `pipe`. A disconnect is not an error. */
export class SourceErrorEvent extends Event {
  /** The value that was thrown. */
  readonly error: unknown;

  /** @internal Created by a source. */
  constructor(error: unknown) {
    super("error");
    this.error = error;
  }
}

/** The client reads too slowly: the next frame would exceed `maxBufferedBytes`. */
export class SourceOverflowEvent extends Event {
  /** Bytes waiting for the client, without the frame that did not fit. */
  readonly bufferedAmount: number;
  /** Events dropped on this source so far. */
  readonly dropped: number;

  /** @internal Created by a source. */
  constructor(bufferedAmount: number, dropped: number) {
    super("overflow");
    this.bufferedAmount = bufferedAmount;
    this.dropped = dropped;
  }
}

/** The lifecycle events of a source. Listeners on the server receive them; they are never written. */
export interface SourceEventMap {
  /** The stream has opened. */
  open: Event;
  /** The stream has closed, whatever closed it. */
  close: SourceCloseEvent;
  /** A background operation failed. */
  error: SourceErrorEvent;
  /** An event does not fit into `maxBufferedBytes`. Once for each stall of the client. */
  overflow: SourceOverflowEvent;
  /** The client has caught up after an overflow. */
  drain: Event;
}

/** The third argument of `addEventListener()` in the DOM standard, for programs without its types. */
export type ListenerOptions =
  | boolean
  | {
      /** Has no effect: a source is not part of a tree. @default false */
      capture?: boolean;
      /** Removes the listener after its first call. @default false */
      once?: boolean;
      /** Has no effect on the events of a source. @default false */
      passive?: boolean;
      /** Removes the listener when it is aborted. @default none */
      signal?: AbortSignal;
    };

/** A listener for one lifecycle event or one wire event. */
export type SourceListener<This, E> = ((this: This, event: E) => void) | { handleEvent(event: E): void } | null;

const lifecycleEvents: ReadonlySet<string> = new Set(["open", "close", "error", "overflow", "drain"]);

/** A wire event with such a type is written but not dispatched locally, so that the two are never confused. */
export function isLifecycleEvent(type: string): type is keyof SourceEventMap {
  return lifecycleEvents.has(type);
}

/** Dispatches lifecycle events on a target, creating an event only if there is a listener for its type. */
export class LifecycleEvents {
  /** Listeners run in this async context, whoever causes an event. */
  readonly context: CapturedContext;
  #target: EventTarget | null = null;
  #listenedTypes: Set<string> | null = null;
  #held: HeldEvent | null = null;

  constructor(context: CapturedContext) {
    this.context = context;
  }

  /**
   * Records that a listener for `type` was added to a target, which is kept in memory from now on. The first listener
   * receives an event that fired before it.
   */
  listensTo(type: string, target: EventTarget): void {
    this.#target = target;
    this.#listenedTypes ??= new Set();
    if (this.#listenedTypes.has(type)) return;
    this.#listenedTypes.add(type);
    if (type === this.#held?.type) queueMicrotask(() => this.#fireHeld());
  }

  fire(type: keyof SourceEventMap, make: () => Event): void {
    // Not through a method of the handle, which may write what it is given.
    if (!this.#listenedTypes?.has(type) || this.#target === null) return;
    this.context.runInAsyncScope(EventTarget.prototype.dispatchEvent, this.#target, make());
  }

  /** Holds an event that fired during construction until the first listener is added; `null` discards it. */
  protected hold(held: HeldEvent | null): void {
    this.#held = held;
  }

  #fireHeld(): void {
    if (this.#held !== null) this.fire(this.#held.type, this.#held.make);
  }
}

export interface HeldEvent {
  readonly type: keyof SourceEventMap;
  make(): Event;
}

/** The listener type of a wire event. */
export type WireEventListener<This> = SourceListener<This, ServerSentEvent>;
