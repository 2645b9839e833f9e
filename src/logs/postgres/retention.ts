// Removes what is not to be kept, in the background: one slice after the other, by whichever process comes first.
import { now, WakeTimer } from "../../base/clock.ts";
import type { RetentionLimits } from "../../log/retention.ts";

/** A pass waits so long for more to come together, in milliseconds. */
const passDelayMs = 100;
/** How long to wait after a pass that failed, in milliseconds. */
const failureRetryMs = 2_000;
/** Entries after whose removal the table of channels is checked against its bound. */
const forgetInterval = 4_096;

/** Calls the function `trim` with a request, and resolves with its answer. */
export type Trim = (request: object) => Promise<{ more: boolean; removed?: number; next?: number | null }>;

/** A failed pass is tried again: publishers and readers report why. */
export class RetentionWorker {
  readonly #trim: Trim;
  /** The limits, which are the same in each pass. */
  readonly #request: object;
  readonly #timer = new WakeTimer(() => void this.#run());
  /** Begins at the bound, so that the first pass of a process checks the table. */
  #removed = forgetInterval;
  #isRunning = false;
  /** Something was appended while a pass was running. */
  #isTouched = false;
  #closed = false;

  constructor(trim: Trim, { events, bytes, age, window, witnessAge }: RetentionLimits) {
    this.#trim = trim;
    // JSON has no Infinity; `null` stands for it.
    const finite = (value: number) => (Number.isFinite(value) ? Math.ceil(value) : null);
    this.#request = {
      events: finite(events),
      bytes: finite(bytes),
      age: finite(age),
      window: finite(window),
      witnessAge: finite(witnessAge),
    };
  }

  /** Something was appended: there may be something to do soon. */
  touch(): void {
    this.#isTouched = true;
    this.#plan(passDelayMs);
  }

  /** A pass under way ends with its slice. */
  close(): void {
    this.#closed = true;
    this.#timer.stop();
  }

  /** An earlier plan stays. While a pass runs, the next one is planned at its end. */
  #plan(delay: number): void {
    if (!this.#closed && !this.#isRunning) this.#timer.set(now() + delay);
  }

  /** Slice after slice, each a statement of its own, so that publishers get their turn in between. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    this.#isTouched = false;
    let delay = Number.POSITIVE_INFINITY;
    try {
      for (let hasMore = true; hasMore && !this.#closed; ) {
        const forget = this.#removed >= forgetInterval;
        if (forget) this.#removed = 0;
        const { more, removed = 0, next } = await this.#trim({ ...this.#request, forget });
        this.#removed += removed;
        hasMore = more;
        // Without a limit of age, nothing expires, and an idle log is left alone.
        if (next != null) delay = Math.max(passDelayMs, next);
      }
      // Not reported: publishers and readers meet the same failure, and report it.
    } catch {
      delay = failureRetryMs;
    }
    this.#isRunning = false;
    if (this.#isTouched) delay = Math.min(delay, passDelayMs);
    this.#plan(delay);
  }
}

/** JSON has no `Infinity`. */
export function windowOf({ window }: RetentionLimits): number {
  return Number.isFinite(window) ? Math.ceil(window) : Number.MAX_SAFE_INTEGER;
}
