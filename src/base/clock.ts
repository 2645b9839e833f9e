// Time: a monotonic clock, and timers that do not keep the process alive.
import { runDetached } from "./async-context.ts";

let latest = 0;
/** How far our time is ahead of the runtime's clock. */
let ahead = 0;

/**
 * Monotonic milliseconds for silence and deadlines. A timer that fires proves that its moment has come, even where the
 * clock that it is compared with is coarser or is held still by a test, so timers report their moment to `reached`.
 */
export function now(): number {
  const time = performance.now();
  // A clock that goes back was put in place by a test; ours goes on from where it was.
  if (time < latest) ahead += latest - time;
  latest = time;
  return time + ahead;
}

/** Says that `time` has come: a timer that was set for it has fired. */
export function noteTimerFired(time: number): void {
  const present = now();
  if (time > present) ahead += time - present;
}

/** A timer that does not keep the process alive, nor the async context of the request in which it is set. */
export function unrefTimeout(callback: () => void, delay: number): ReturnType<typeof setTimeout> {
  const timer = runDetached(() => setTimeout(callback, Math.min(delay, maxTimeoutMs)));
  (timer as { unref?: () => void }).unref?.();
  return timer;
}

/** Calls back in a turn of the event loop of its own: others have theirs before. */
export function setImmediateOrTimeout(callback: () => void): void {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
  if (setImmediate === undefined) setTimeout(callback, 0);
  else setImmediate(callback);
}

/** How often to look for what is due after so long: four times meanwhile, once a second at least, no faster than 10 ms. */
export function checkInterval(time: number): number {
  return Math.min(1_000, Math.max(10, time / 4));
}

// Longer delays overflow to 1 ms in every runtime.
const maxTimeoutMs = 2 ** 31 - 1;
