import { noteTimerFired, now, unrefTimeout } from "../base/clock.ts";

/** Longer waits are made of several. */
const maxWaitMs = 24 * 3_600_000;

/** One timer for whatever is due next, and none where nothing ever is. */
export class WakeTimer {
  readonly #ring: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ringsAt = 0;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** @param due In the time of `now()`. The alarm may ring before: whoever finds nothing to do sets it again. */
  set(due: number): void {
    const isNever = due === Number.POSITIVE_INFINITY;
    if (this.#timer !== undefined && !isNever && this.#ringsAt <= due) return;
    this.stop();
    if (isNever) return;
    const time = now();
    const moment = Math.min(Math.max(due, time), time + maxWaitMs);
    this.#ringsAt = moment;
    this.#timer = unrefTimeout(() => {
      this.#timer = undefined;
      noteTimerFired(moment);
      this.#ring();
    }, moment - time);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
