// The part that all bindings have in common: a subscription that is open while a component uses it.
import type { EventDataOf, EventOfType, EventTypeOf, StreamEvent, StreamLoss, StreamStatus } from "../client/events.ts";
import { assertFunction } from "../client/listeners.ts";
import type { Subscription } from "../client/subscribe.ts";
import type { AnyContract } from "../wire/contract.ts";

/** The status before a connection exists, also on a server: one object, since frameworks compare by identity. */
export const idleStatus: StreamStatus = { state: "connecting", attempt: 0, retryAt: undefined, error: undefined };

/**
 * A subscription that opens with its first listener and closes after its last one. Frameworks mount and unmount components
 * more often than users see: React's StrictMode, `Activity`, hot reloads. So closing is never final here: the next listener
 * opens the stream again, at the position where it was.
 */
export class OnDemandSubscription<C extends AnyContract | undefined = undefined> {
  readonly #open: (after: string) => Subscription<C>;
  #stream: Subscription<C> | null = null;
  #users = 0;
  #cursor: string;

  /** @internal Bindings create it. */
  constructor(open: (after: string) => Subscription<C>, cursor = "") {
    this.#open = open;
    this.#cursor = cursor;
  }

  /** The status of the stream; `connecting` while nothing uses it. */
  get status(): StreamStatus {
    return this.#stream?.status ?? idleStatus;
  }

  /** The position that all listeners have received: store it, and pass it as `after` later. */
  get cursor(): string {
    return this.#stream?.cursor ?? this.#cursor;
  }

  /**
   * Calls `listener` with the data of each event of a type, and the event; with `"*"`, with every event.
   *
   * @returns Removes the listener.
   */
  on<T extends EventTypeOf<C>>(
    type: T,
    listener: (data: EventDataOf<C, T>, event: EventOfType<C, T>) => void,
  ): () => void;
  on(type: "*", listener: (event: StreamEvent<C>) => void): () => void;
  on(type: string, listener: (...args: never[]) => void): () => void {
    return this.#use((stream) => stream.on(type as "*", listener as (event: StreamEvent<C>) => void));
  }

  /** Calls `listener` with each loss, in order with the events around it. @returns Removes the listener. */
  onLoss(listener: (loss: StreamLoss) => void): () => void {
    return this.#use((stream) => stream.onLoss(listener));
  }

  /** Calls `listener` with each change of the status. @returns Removes the listener. */
  onStatus(listener: (status: StreamStatus) => void): () => void {
    return this.#use((stream) => stream.onStatus(listener));
  }

  /**
   * State that events change one by one, so that a burst loses none of them. A loss leaves it as it is by default.
   *
   * @throws {SourcecastTypeError} `ERR_SSE_ARGUMENT` for reducers that are not functions.
   * @internal Bindings make it reactive.
   */
  reduce<S>(initial: S, onEvent: EventReducer<C, S>, onLoss: LossReducer<S> = (state) => state): Reduction<S> {
    assertFunction(onEvent, "reducer");
    assertFunction(onLoss, "reducer");
    const observers = new Set<() => void>();
    let state = initial;
    // The position of `state` while nothing observes it; empty before the first time.
    let left = "";
    // During an event, the stream is still at the position before it.
    let applying: string | undefined;
    const change = (next: S, position?: string): void => {
      if (Object.is(next, state)) return;
      state = next;
      applying = position;
      for (const notify of observers) notify();
      applying = undefined;
    };
    const start = (): (() => void) => {
      // Other listeners may have kept the stream open, and received events that this state has not. A stream of its own brings
      // them, and declares those that are gone.
      const source = left === "" || left === this.cursor ? this : new OnDemandSubscription(this.#open, left);
      const removeEvents = source.on("*", (event) => change(onEvent(state, event), event.lastEventId));
      const removeLosses = source.onLoss((loss) => change(onLoss(state, loss)));
      return () => {
        left = applying ?? source.cursor;
        removeEvents();
        removeLosses();
      };
    };
    let stop = (): void => {};
    return {
      current: () => state,
      observe: (onChange) => {
        const observer = (): void => onChange();
        if (observers.size === 0) stop = start();
        observers.add(observer);
        return () => {
          if (observers.delete(observer) && observers.size === 0) stop();
        };
      },
    };
  }

  #use(listen: (stream: Subscription<C>) => () => void): () => void {
    const stream = this.#stream ?? this.#open(this.#cursor);
    // It throws for something other than a function. The stream is not kept then, since nothing would close it.
    const remove = listen(stream);
    this.#stream = stream;
    // A component that only shows the status is a consumer, too.
    void stream.opened;
    this.#users++;
    let isUsed = true;
    return () => {
      if (!isUsed) return;
      isUsed = false;
      remove();
      if (--this.#users > 0) return;
      this.#cursor = stream.cursor;
      this.#stream = null;
      stream.close();
    };
  }
}

/** Makes the next state from an event. */
export type EventReducer<C extends AnyContract | undefined, S> = (state: S, event: StreamEvent<C>) => S;

/** Makes the next state from a loss. */
export type LossReducer<S> = (state: S, loss: StreamLoss) => S;

/** A state that follows a stream while something observes it. */
export interface Reduction<S> {
  current(): S;
  /** Calls `onChange` after each change. @returns Ends that. */
  observe(onChange: () => void): () => void;
}
