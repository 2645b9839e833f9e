// The policy of subscribe() for a connection that is gone: jittered delays that grow, on top of the server's own times.

import { timeoutError } from "./failures.ts";
import { connect, end, type Loss, type ReconnectState, wait } from "./reconnect.ts";

/** The settings of the delays, in milliseconds. */
export interface BackoffSettings {
  /** False: the first end of the stream is the last. */
  readonly enabled: boolean;
  /** Upper bound of the first random delay; it doubles with each attempt. */
  readonly initial: number;
  /** Upper bound of any random delay. */
  readonly max: number;
}

/** A stream that was healthy for this long has earned a fresh start. */
const healthyAfterMs = 30_000;
/** Longer times that a server asks for are cut, so that a typing error does not keep a client away for a year. */
const maxFloorMs = 600_000;

/**
 * A 401 or 403 makes the client ask for the headers once more, at once, because a token may have expired. A second one in
 * succession is final.
 *
 * After the first failure, and after a healthy stream, the random delay is at most `initial`. It is drawn from the whole
 * range down to zero, so that clients which a restart of the server disconnects in one moment come back spread over that range.
 */
export function lose(
  { enabled, initial, max }: BackoffSettings,
  state: ReconnectState,
  { kind, timedOut, retryAfter = 0, offline = false, error = timeoutError(state, timedOut) }: Loss,
  now: number,
  random: number,
): ReconnectState {
  // A quiet stream is healthy too, so this counts the time and not the events.
  const isHealthy = state.phase === "open" && now - state.since >= healthyAfterMs;
  const rested = isHealthy ? { ...state, attempt: 0 } : state;
  const isUnauthorized = kind === "unauthorized";
  if (isUnauthorized && !state.reauthorized) return connect({ ...rested, error, reauthorized: true }, now);
  if (kind === "final" || isUnauthorized) return end(state, now, "failed", error);
  if (!enabled) return end(rested, now, error === undefined ? "ended" : "failed", error);
  // The server's time is a floor, so that shedding and drains are not defeated; the jitter comes on top of it.
  const asked = Math.min(maxFloorMs, Math.max(rested.laterFloor, retryAfter));
  const floor = Math.max(asked, Math.min(maxFloorMs, rested.retryFloor));
  // The exponent is bounded because `initial` may be 0, and 0 times infinity is not a number.
  const ceiling = Math.min(max, initial * 2 ** Math.min(Math.max(0, rested.attempt - 1), 30));
  // The reconnection time spreads the clients that a server has lost. A client without a network was not one of them, and
  // comes back with its network, unless the server has asked it to stay away.
  const notBefore = now + (offline ? asked : floor);
  return wait({ ...rested, error, laterFloor: 0 }, now, notBefore, now + floor + random * ceiling);
}

/**
 * Connects at once, because the application asks for it. An attempt under way and a page that is put away are left alone. A wait
 * ends as soon as the server allows it.
 */
export function reconnect(state: ReconnectState, now: number): ReconnectState {
  if (state.phase === "open") return connect(state, now);
  if (state.phase !== "waiting" || state.retryAt === Number.POSITIVE_INFINITY) return state;
  return { ...state, retryAt: Math.min(state.retryAt, Math.max(now, state.notBefore)) };
}

/** The state of a connection whose first attempt comes after a delay, if there is one. */
export function delayed(state: ReconnectState, now: number, delay: number): ReconnectState {
  if (delay === 0) return state;
  return wait({ ...state, connection: 0, attempt: 0 }, now, now + delay, now + delay);
}
