// A limit on how long a run may wait for its producer: one timer for all waits of a run, since a wait lasts as long as a token.
import { now, WakeTimer } from "../base/clock.ts";

/** Calls back when one wait takes too long. */
export class WaitLimit {
  readonly #limitMs: number;
  readonly #timer: WakeTimer;
  /** Since when; `null` between two waits. */
  #since: number | null = null;

  constructor(limitMs: number, onExpired: () => void) {
    this.#limitMs = limitMs;
    this.#timer = new WakeTimer((time) => {
      if (this.#since === null) return;
      // The timer was set for an earlier wait.
      if (time < this.#since + limitMs) this.#timer.set(this.#since + limitMs);
      else onExpired();
    });
  }

  begin(): void {
    this.#since = now();
    // It stays where it is if it is set for an earlier moment.
    this.#timer.set(this.#since + this.#limitMs);
  }

  end(): void {
    this.#since = null;
  }

  stop(): void {
    this.#timer.stop();
  }
}
