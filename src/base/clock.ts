// Time: a monotonic clock for durations and deadlines, and timers that do not keep the process alive.
import { runDetached } from "./async-context.ts";
import { isEdgeRuntime, isWorkers } from "./runtime.ts";

/**
 * Monotonic milliseconds. The system's clock jumps when it is set. So it only shows people the time, and never measures
 * a duration.
 */
export function now(): number {
  return performance.now();
}

/**
 * A timer for a short delay, which keeps alive neither the process nor the async context of the request that sets it. Use
 * {@link WakeTimer} for a delay that an option sets: a delay of more than {@link maxDelayMs} is cut short here.
 */
export function unrefTimeout(callback: () => void, delay: number): ReturnType<typeof setTimeout> {
  const timer = runDetached(() => setTimeout(callback, Math.min(delay, maxDelayMs)));
  (timer as Unrefable).unref?.();
  return timer;
}

/** Timers of Node and Bun. Others are numbers. */
interface Unrefable {
  ref?(): unknown;
  unref?(): unknown;
}

/** Longer delays overflow 31 bits, and the timer fires after 1 ms, on every runtime. */
const maxDelayMs = 2_147_483_647;

/** A timer may fire this much before its time: platforms count whole milliseconds from the start of the loop's turn. */
const timerToleranceMs = 1;

/**
 * One timer for the next moment at which something is due, however far away.
 *
 * @example
 * ```text
 * const timer = new WakeTimer((time) => expireAll(time));
 * timer.set(now() + 40 * 86_400_000);
 * ```
 */
export class WakeTimer {
  readonly #onWake: (time: number) => void;
  readonly #keepsAlive: boolean;
  #handle: ReturnType<typeof setTimeout> | undefined;
  #due: number = Number.POSITIVE_INFINITY;
  #isResting = false;

  /**
   * @param onWake Called with the time, which is never before the moment that was set.
   * @param keepsAlive Whether the process stays alive for it.
   */
  constructor(onWake: (time: number) => void, keepsAlive: boolean = false) {
    this.#onWake = onWake;
    this.#keepsAlive = keepsAlive;
  }

  /** The moment for which the timer is set; `Infinity` when it is not. */
  get due(): number {
    return this.#due;
  }

  /**
   * Wakes at `due`, in the time of {@link now}, or at an earlier time for which it is already set. `Infinity` stops it.
   */
  set(due: number): void {
    if (due === Number.POSITIVE_INFINITY) this.stop();
    else if (due < this.#due) this.#start(due);
    else if (this.#isResting) this.#resume();
  }

  /**
   * Nothing is due until the next `set()`. Until then the timer does not wake, and keeps alive neither the process nor a Durable
   * Object. It need not be cleared for that: to set and clear a timer for each piece of work takes longer than much of the work.
   */
  rest(): void {
    const handle = this.#handle as Unrefable | undefined;
    if (this.#isResting || handle === undefined) return;
    if (isWorkers || handle.unref === undefined) this.stop();
    else {
      this.#isResting = true;
      handle.unref();
    }
  }

  stop(): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
    this.#due = Number.POSITIVE_INFINITY;
    this.#isResting = false;
  }

  /** Earlier than the moment that is asked for now. */
  #resume(): void {
    this.#isResting = false;
    if (this.#keepsAlive) (this.#handle as Unrefable).ref?.();
  }

  #start(due: number): void {
    clearTimeout(this.#handle);
    this.#due = due;
    this.#isResting = false;
    const delay = Math.min(Math.max(0, Math.ceil(due - now())), maxDelayMs);
    const start = this.#keepsAlive ? setTimeout : unrefTimeout;
    this.#handle = start(() => this.#fire(), delay);
  }

  #fire(): void {
    if (this.#isResting) {
      this.stop();
      return;
    }
    const due = this.#due;
    const time = now();
    // A longer wait than the platform's timers can do takes several of them.
    if (time + timerToleranceMs < due) this.#start(due);
    else {
      this.stop();
      this.#onWake(Math.max(time, due));
    }
  }
}

/** Calls back in another turn of the event loop, so that others get their turn first. */
export function setImmediateOrTimeout(callback: () => void): void {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
  if (isEdgeRuntime || setImmediate === undefined) setTimeout(callback, 0);
  else setImmediate(callback);
}

/** How often to check for something that is due after `time`: four times in between, from every 10 ms to every second. */
export function checkInterval(time: number): number {
  return Math.min(1_000, Math.max(10, time / 4));
}
