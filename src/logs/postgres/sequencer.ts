// Moves what transactions have published from the outbox to the log: in one process at a time, whichever comes first.
import { now, WakeTimer } from "../../base/clock.ts";

/** How soon after a publish within a transaction to look for its commit, and how rarely in the end, in milliseconds. */
const firstLookMs = 5;
const maxLookMs = 500;
/** How long to wait after a failure. */
const failureRetryMs = 1_000;

/** Moves some calls, and resolves with their number. */
export type Move = () => Promise<number>;

/**
 * Nothing announces a commit: `NOTIFY` takes a lock that all transactions with notifications share. So a process that has
 * published within a transaction looks for it, less and less often. Every process with tails looks about once a second.
 */
export class Sequencer {
  readonly #move: Move;
  readonly #onMoved: () => void;
  readonly #onError: (error: unknown) => void;
  readonly #timer = new WakeTimer(() => void this.#run());
  /** The next look, twice as far away each time. */
  #delay = maxLookMs;
  /** This process has published within transactions, which may still be open. */
  #hasPublished = false;
  #isRunning = false;
  #closed = false;

  constructor(move: Move, onMoved: () => void, onError: (error: unknown) => void) {
    this.#move = move;
    this.#onMoved = onMoved;
    this.#onError = onError;
  }

  /** This process has published within a transaction. */
  onPublished(): void {
    this.#hasPublished = true;
    this.#delay = firstLookMs;
    this.#plan(firstLookMs);
  }

  /** A tail has found something in the outbox. */
  onFound(): void {
    this.#plan(0);
  }

  /** Another process moves the calls that are left. */
  close(): void {
    this.#closed = true;
    this.#timer.stop();
  }

  /** An earlier look stays. */
  #plan(delay: number): void {
    if (!this.#closed) this.#timer.set(now() + delay);
  }

  /** Moves until nothing is left. If another process holds the lock, that process moves the entries. */
  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      let moved = 0;
      // One statement for each part, so that publishers get the lock in between.
      for (let count = 1; count > 0 && !this.#closed; moved += count) count = await this.#move();
      if (moved > 0) this.#onMoved();
      this.#delay = Math.min(this.#delay * 2, maxLookMs);
    } catch (error) {
      this.#delay = failureRetryMs;
      this.#onError(error);
    }
    this.#isRunning = false;
    // A transaction may be open for hours, and nothing else would look for its commit.
    if (this.#hasPublished) this.#plan(this.#delay);
  }
}
