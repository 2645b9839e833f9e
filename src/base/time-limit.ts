// Work that may never settle: a connection can be cut off without either end being told.
import { now, WakeTimer } from "./clock.ts";

/** Work under way. */
interface Pending {
  readonly due: number;
  readonly reject: (error: unknown) => void;
}

/** How a {@link TimeLimit} works. */
export interface TimeLimitOptions {
  /** How long each work may take, in milliseconds. */
  readonly timeoutMs: number;
  /** The error of work that takes longer. */
  readonly makeError: (timeoutMs: number) => Error;
  /**
   * Keeps the process alive while there is work, for work that does not. Without it, the timer stays set after the work: setting and
   * clearing it each time takes longer than the rest.
   * @default false
   */
  readonly keepsAlive?: boolean;
}

/** Limits the time of all work by one timer: all have the same time, so they expire in the order in which they began. */
export class TimeLimit {
  readonly #options: TimeLimitOptions;
  readonly #pending = new Set<Pending>();
  readonly #timer: WakeTimer;
  /** The timer stops with the last work. */
  #stopsWhenIdle: boolean;

  constructor(options: TimeLimitOptions) {
    const { keepsAlive = false } = options;
    this.#options = options;
    this.#timer = new WakeTimer((time) => this.#expire(time), keepsAlive);
    this.#stopsWhenIdle = keepsAlive;
  }

  /** Settles as `work` does, or rejects after the time. The work is not undone. */
  limit<T>(work: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const pending: Pending = { due: now() + this.#options.timeoutMs, reject };
      this.#pending.add(pending);
      this.#timer.set(pending.due);
      work.then(
        (value) => {
          this.#end(pending);
          resolve(value);
        },
        (error: unknown) => {
          this.#end(pending);
          reject(error);
        },
      );
    });
  }

  /** Rejects all work that is under way. */
  rejectAll(error: Error): void {
    for (const { reject } of this.#pending) reject(error);
    this.#pending.clear();
    this.close();
  }

  /** Stops the timer as soon as no work is under way. */
  close(): void {
    this.#stopsWhenIdle = true;
    this.#stopIfIdle();
  }

  #end(pending: Pending): void {
    this.#pending.delete(pending);
    this.#stopIfIdle();
  }

  #stopIfIdle(): void {
    if (this.#stopsWhenIdle && this.#pending.size === 0) this.#timer.stop();
  }

  /** A timer that finds nothing due was set for work that has settled. */
  #expire(time: number): void {
    for (const pending of this.#pending) {
      if (pending.due > time) {
        this.#timer.set(pending.due);
        return;
      }
      this.#pending.delete(pending);
      const { timeoutMs, makeError } = this.#options;
      pending.reject(makeError(timeoutMs));
    }
  }
}
