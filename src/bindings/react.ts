// sourcecast/react: hooks for React 18 and 19, over subscribe().
"use client";

import { useCallback, useEffect, useInsertionEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { EventDataOf, EventOfType, EventTypeOf, StreamEvent, StreamLoss, StreamStatus } from "../client/events.ts";
import { assertFunction } from "../client/listeners.ts";
import type { SubscribeOptions } from "../client/options.ts";
import type { PerAttempt } from "../client/request.ts";
import type { Subscription } from "../client/subscribe.ts";
import type { AnyContract } from "../wire/contract.ts";
import { idleStatus, OnDemandSubscription } from "./on-demand.ts";
import { keyOf, open } from "./open.ts";

export type { OnDemandSubscription };

/** A stream as a component sees it: a new object with each status, so that memoized children notice. */
export interface SubscriptionState<C extends AnyContract | undefined = undefined> {
  /** The same object until the address or the channels change: for effects of your own, and for its `cursor`. */
  readonly stream: OnDemandSubscription<C>;
  /** The status: `connecting` on the server and during hydration. */
  readonly status: StreamStatus;
}

/**
 * Subscribes to a stream of events while the component is mounted. A new address, new channels or other new values in the
 * options open another stream. Functions in the options do not: the ones of the latest rendering are called.
 *
 * @param url The address, or an (async) function that gives it for each attempt.
 * @example
 * ```ts fragment
 * import { useEvents, useSubscription } from "sourcecast/react";
 *
 * function useHeadlines() {
 *   const news = useSubscription("/events", { channels: ["news"] });
 *   const headlines = useEvents(news, (list: string[], event) => [...list, event.data], []);
 *   return { headlines, state: news.status.state };
 * }
 * ```
 */
export function useSubscription<C extends AnyContract | undefined = undefined>(
  url: PerAttempt<string | URL>,
  options: SubscribeOptions<C> = {},
): SubscriptionState<C> {
  const latest = useLatest({ ...options, url });
  const stream = useHeld(keyOf(url, options), () => new OnDemandSubscription<C>((after) => openLatest(latest, after)));
  const observe = useCallback((listener: () => void) => stream.onStatus(listener), [stream]);
  const status = useSyncExternalStore(
    observe,
    () => stream.status,
    () => idleStatus,
  );
  return useMemo(() => ({ stream, status }), [stream, status]);
}

/** For effects: calls the listener of the latest rendering with the data of each event of a type, and the event. */
export function useEvent<C extends AnyContract | undefined, T extends EventTypeOf<C>>(
  subscription: Pick<SubscriptionState<C>, "stream">,
  type: T,
  listener: (data: EventDataOf<C, T>, event: EventOfType<C, T>) => void,
): void;
export function useEvent<C extends AnyContract | undefined>(
  subscription: Pick<SubscriptionState<C>, "stream">,
  type: "*",
  listener: (event: StreamEvent<C>) => void,
): void;
export function useEvent(
  { stream }: Pick<SubscriptionState, "stream">,
  type: string,
  listener: (...args: never[]) => void,
): void {
  const latest = useCallee(listener as (...args: unknown[]) => void);
  useEffect(() => stream.on(type, (...args) => latest.current(...args)), [stream, type, latest]);
}

/** Calls `listener` with each loss: the listener of the latest rendering. */
export function useLoss<C extends AnyContract | undefined>(
  { stream }: Pick<SubscriptionState<C>, "stream">,
  listener: (loss: StreamLoss) => void,
): void {
  const latest = useCallee(listener);
  useEffect(() => stream.onLoss((loss) => latest.current(loss)), [stream, latest]);
}

/**
 * State that events change: `reducer` is called with each event, and the component renders once for all that arrived
 * together. It starts from `initial` again when another subscription replaces the present one.
 *
 * @param lossReducer Called with each loss, in order with the events. By default a loss leaves the state as it is.
 */
export function useEvents<S, C extends AnyContract | undefined>(
  { stream }: Pick<SubscriptionState<C>, "stream">,
  reducer: (state: S, event: StreamEvent<C>) => S,
  initial: S,
  lossReducer: (state: S, loss: StreamLoss) => S = (state) => state,
): S {
  const latest = useCallee(reducer, "reducer");
  const latestOfLosses = useCallee(lossReducer, "reducer");
  const { current, observe } = useHeld(stream, () =>
    stream.reduce(
      initial,
      (state, event) => latest.current(state, event),
      (state, loss) => latestOfLosses.current(state, loss),
    ),
  );
  // Nothing observes it before the component is mounted, so on the server and during hydration it is the initial state.
  return useSyncExternalStore(observe, current, current);
}

/** A value for a key, made when the key changes. State rather than a memo: React may drop a memo, and the position with it. */
function useHeld<T>(key: unknown, create: () => T): T {
  const [held, hold] = useState(() => ({ key, value: create() }));
  if (held.key === key) return held.value;
  const next = { key, value: create() };
  hold(next);
  return next.value;
}

/** The value of the latest rendering that was committed. Insertion effects run before all effects that may read it. */
function useLatest<T>(value: T): { readonly current: T } {
  const latest = useRef(value);
  useInsertionEffect(() => {
    latest.current = value;
  });
  return latest;
}

/** As {@link useLatest}, for a function. */
function useCallee<F>(callee: F, role?: string): { readonly current: F } {
  assertFunction(callee, role);
  return useLatest(callee);
}

/** Opens a stream. In place of a function among the options, it calls that function as the latest rendering has it. */
function openLatest<C extends AnyContract | undefined>(latest: Latest<C>, after: string): Subscription<C> {
  const given: Record<string, unknown> = { ...latest.current };
  for (const name in given) {
    const value = given[name] as Functions[string];
    if (typeof value !== "function") continue;
    given[name] = (...args: unknown[]) => ((latest.current as object as Functions)[name] ?? value)(...args);
  }
  const { url, ...options } = given;
  return open(url as PerAttempt<string | URL>, options as SubscribeOptions<C>, after, latest.current);
}

type Latest<C extends AnyContract | undefined> = {
  readonly current: SubscribeOptions<C> & { readonly url: PerAttempt<string | URL> };
};

type Functions = Record<string, (...args: unknown[]) => unknown>;
