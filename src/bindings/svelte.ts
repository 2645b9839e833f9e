// sourcecast/svelte: streams as reactive values of Svelte 5, over subscribe().
import { createSubscriber } from "svelte/reactivity";
import type { EventDataOf, EventOfType, EventTypeOf, StreamEvent, StreamLoss, StreamStatus } from "../client/events.ts";
import type { SubscribeOptions } from "../client/options.ts";
import type { PerAttempt } from "../client/request.ts";
import type { AnyContract } from "../wire/contract.ts";
import { OnDemandSubscription } from "./on-demand.ts";
import { open } from "./open.ts";

export { type EventStore, type SubscriptionStores, subscriptionStores } from "./svelte/store.ts";

/** A value that templates and effects follow. */
export interface Current<T> {
  /** The present value. */
  readonly current: T;
}

/** A stream of events. It is open while a template or an effect reads it, or a listener is registered. */
export interface ReactiveSubscription<C extends AnyContract | undefined = undefined> {
  /** The status, reactive: `connecting` on the server and during hydration. */
  readonly status: StreamStatus;
  /** The position that all listeners have received. */
  readonly cursor: string;
  /** Calls `listener` with each event of a type: `$effect(() => stream.on(type, listener))`. @returns Removes the listener. */
  on<T extends EventTypeOf<C>>(
    type: T,
    listener: (data: EventDataOf<C, T>, event: EventOfType<C, T>) => void,
  ): () => void;
  /** Calls `listener` with every event. */
  on(type: "*", listener: (event: StreamEvent<C>) => void): () => void;
  /** Calls `listener` with each loss, in order with the events. @returns Removes the listener. */
  onLoss(listener: (loss: StreamLoss) => void): () => void;
  /**
   * State that events change: `reducer` is called with each one, and the template updates once for all that arrived together.
   *
   * @param lossReducer Called with each loss. By default a loss leaves the state as it is.
   */
  reduce<S>(
    reducer: (state: S, event: StreamEvent<C>) => S,
    initial: S,
    lossReducer?: (state: S, loss: StreamLoss) => S,
  ): Current<S>;
}

/**
 * A stream of events as reactive values. It opens when a template or an effect first reads it and closes after the last of them
 * is gone, so it may be a module's as well as a component's. On a server, it opens no connection.
 *
 * @param url The address, or an (async) function that gives it for each attempt.
 * @example
 * ```ts fragment
 * import { createSubscription } from "sourcecast/svelte";
 *
 * const news = createSubscription("/events", { channels: ["news"] });
 * const headlines = news.reduce((list: string[], event) => [...list, event.data], []);
 * // In the template: {news.status.state} and {#each headlines.current as headline}
 * ```
 */
export function createSubscription<C extends AnyContract | undefined = undefined>(
  url: PerAttempt<string | URL>,
  options: SubscribeOptions<C> = {},
): ReactiveSubscription<C> {
  const stream = new OnDemandSubscription<C>((after) => open(url, options, after));
  const readStatus = createSubscriber((update) => stream.onStatus(update));
  return {
    get status() {
      readStatus();
      return stream.status;
    },
    get cursor() {
      return stream.cursor;
    },
    on: stream.on.bind(stream),
    onLoss: (listener) => stream.onLoss(listener),
    reduce(reducer, initial, lossReducer) {
      const { current, observe } = stream.reduce(initial, reducer, lossReducer);
      const readState = createSubscriber(observe);
      return {
        get current() {
          readState();
          return current();
        },
      };
    },
  };
}
