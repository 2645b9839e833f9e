// sourcecast/vue: composables for Vue 3, over subscribe().
import {
  type ComputedRef,
  computed,
  getCurrentInstance,
  getCurrentScope,
  type MaybeRefOrGetter,
  onMounted,
  type ShallowRef,
  shallowRef,
  toValue,
  watch,
} from "vue";
import type { EventDataOf, EventOfType, EventTypeOf, StreamEvent, StreamLoss, StreamStatus } from "../client/events.ts";
import { assertFunction } from "../client/listeners.ts";
import type { SubscribeOptions } from "../client/options.ts";
import type { AnyContract } from "../wire/contract.ts";
import { idleStatus, OnDemandSubscription } from "./on-demand.ts";
import { isServer, keyOf, open } from "./open.ts";

export type { OnDemandSubscription };

/** A stream as a component sees it. */
export interface SubscriptionRefs<C extends AnyContract | undefined = undefined> {
  /** The stream: another one after a change of the address or of the channels. For its `cursor`. */
  readonly stream: ComputedRef<OnDemandSubscription<C>>;
  /** The status: `connecting` on the server and during hydration. */
  readonly status: Readonly<ShallowRef<StreamStatus>>;
}

/**
 * Subscribes to a stream of events until the scope ends: that of the component, or an `effectScope()`. The address and
 * the options may be refs or getters: when they change, another stream opens. Outside of a component it begins at once;
 * inside of one, it begins when the component is mounted, so never on a server.
 *
 * @param url The address.
 * @example
 * ```ts fragment
 * import { useEvents, useSubscription } from "sourcecast/vue";
 *
 * const news = useSubscription("/events", { channels: ["news"] });
 * const { status } = news;
 * const headlines = useEvents(news, (list: string[], event) => [...list, event.data], []);
 * ```
 */
export function useSubscription<C extends AnyContract | undefined = undefined>(
  url: MaybeRefOrGetter<string | URL>,
  options: MaybeRefOrGetter<SubscribeOptions<C>> = {},
): SubscriptionRefs<C> {
  const key = computed(() => keyOf(toValue(url), toValue(options)));
  const stream = computed(() => {
    void key.value;
    return new OnDemandSubscription<C>((after) => open(toValue(url), toValue(options), after));
  });
  const status = shallowRef(idleStatus);
  follow(stream, (current) => {
    const remove = current.onStatus((next) => {
      status.value = next;
    });
    status.value = current.status;
    return remove;
  });
  return { stream, status };
}

/**
 * Calls `listener` with the data of each event of a type, and the event; with `"*"`, with every event. It is for effects such as a
 * notification.
 */
export function useEvent<C extends AnyContract | undefined, T extends EventTypeOf<C>>(
  subscription: Pick<SubscriptionRefs<C>, "stream">,
  type: T,
  listener: (data: EventDataOf<C, T>, event: EventOfType<C, T>) => void,
): void;
export function useEvent<C extends AnyContract | undefined>(
  subscription: Pick<SubscriptionRefs<C>, "stream">,
  type: "*",
  listener: (event: StreamEvent<C>) => void,
): void;
export function useEvent(
  { stream }: Pick<SubscriptionRefs, "stream">,
  type: string,
  listener: (...args: never[]) => void,
): void {
  assertFunction(listener);
  follow(stream, (current) => current.on(type, listener as () => void));
}

/** Calls `listener` with each loss. */
export function useLoss<C extends AnyContract | undefined>(
  { stream }: Pick<SubscriptionRefs<C>, "stream">,
  listener: (loss: StreamLoss) => void,
): void {
  assertFunction(listener);
  follow(stream, (current) => current.onLoss(listener));
}

/**
 * State that events change: `reducer` is called with each event, and the component renders once for all that arrived
 * together. It begins with `initial` again when another subscription replaces the present one.
 *
 * @param lossReducer Called with each loss, in order with the events. By default a loss leaves the state as it is.
 */
export function useEvents<S, C extends AnyContract | undefined>(
  { stream }: Pick<SubscriptionRefs<C>, "stream">,
  reducer: (state: S, event: StreamEvent<C>) => S,
  initial: S,
  lossReducer?: (state: S, loss: StreamLoss) => S,
): Readonly<ShallowRef<S>> {
  assertFunction(reducer, "reducer");
  assertFunction(lossReducer ?? reducer, "reducer");
  const state = shallowRef(initial) as ShallowRef<S>;
  follow(stream, (current) => {
    const reduction = current.reduce(initial, reducer, lossReducer);
    state.value = initial;
    return reduction.observe(() => {
      state.value = reduction.current();
    });
  });
  return state;
}

/** Uses the present stream while the scope lives. A server mounts nothing, so it uses none. */
function follow<T>(stream: ComputedRef<T>, use: (stream: T) => () => void): void {
  const scope = getCurrentScope();
  const begin = (): void => {
    watch(stream, (current, _, onCleanup) => onCleanup(use(current)), { immediate: true });
  };
  if (getCurrentInstance()) onMounted(() => scope?.run(begin));
  else if (!isServer()) begin();
}
