// sourcecast/svelte/store: streams as stores, for Svelte 3 and 4. Without an import of Svelte: a store is a contract.
import type {
  EventDataOf,
  EventOfType,
  EventTypeOf,
  StreamEvent,
  StreamLoss,
  StreamStatus,
} from "../../client/events.ts";
import type { SubscribeOptions } from "../../client/options.ts";
import type { PerAttempt } from "../../client/request.ts";
import type { AnyContract } from "../../wire/contract.ts";
import { idleStatus, OnDemandSubscription } from "../on-demand.ts";
import { isServer, open } from "../open.ts";

/** As `Readable` of `svelte/store`. */
export interface EventStore<T> {
  /** Calls `run` with the value, and after each change. @returns Ends the subscription. */
  subscribe(run: (value: T) => void): () => void;
}

/** A stream of events as stores. It is open while a store is subscribed to, or a listener is registered. */
export interface SubscriptionStores<C extends AnyContract | undefined = undefined> {
  /** The status of the stream. */
  readonly status: EventStore<StreamStatus>;
  /** Calls `listener` with each event of a type: `onMount(() => stream.on(type, listener))`. @returns Removes the listener. */
  on<T extends EventTypeOf<C>>(
    type: T,
    listener: (data: EventDataOf<C, T>, event: EventOfType<C, T>) => void,
  ): () => void;
  /** Calls `listener` with every event. */
  on(type: "*", listener: (event: StreamEvent<C>) => void): () => void;
  /** Calls `listener` with each loss, in order with the events. @returns Removes the listener. */
  onLoss(listener: (loss: StreamLoss) => void): () => void;
  /**
   * State that events change: `reducer` is called with each one.
   *
   * @param lossReducer Called with each loss. By default a loss leaves the state as it is.
   */
  reduce<S>(
    reducer: (state: S, event: StreamEvent<C>) => S,
    initial: S,
    lossReducer?: (state: S, loss: StreamLoss) => S,
  ): EventStore<S>;
}

/**
 * A stream of events as stores, which the template reads as `$status` and `$headlines`. On a server, stores have their initial
 * values and open no connection.
 *
 * @param url The address, or an (async) function that gives it for each attempt.
 * @example
 * ```ts fragment
 * import { subscriptionStores } from "sourcecast/svelte/store";
 *
 * const news = subscriptionStores("/events", { channels: ["news"] });
 * export const { status } = news;
 * export const headlines = news.reduce((list: string[], event) => [...list, event.data], []);
 * ```
 */
export function subscriptionStores<C extends AnyContract | undefined = undefined>(
  url: PerAttempt<string | URL>,
  options: SubscribeOptions<C> = {},
): SubscriptionStores<C> {
  const stream = new OnDemandSubscription<C>((after) => open(url, options, after));
  return {
    status: store(
      () => stream.status,
      (onChange) => stream.onStatus(onChange),
      idleStatus,
    ),
    on: stream.on.bind(stream),
    onLoss: (listener) => stream.onLoss(listener),
    reduce(reducer, initial, lossReducer) {
      const { current, observe } = stream.reduce(initial, reducer, lossReducer);
      return store(current, observe, initial);
    },
  };
}

/** A subscriber receives the value at once, and then each change of it. */
function store<T>(current: () => T, observe: (onChange: () => void) => () => void, initial: T): EventStore<T> {
  return {
    subscribe(run) {
      if (isServer()) {
        run(initial);
        return () => {};
      }
      const stop = observe(() => run(current()));
      run(current());
      return stop;
    },
  };
}
