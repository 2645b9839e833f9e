// Work that may never settle: a connection can be cut off without either end being told.
import { now, WakeTimer } from "./clock.ts";

/** Work under way. */
interface Pending {
  readonly due: number;
  /** Ends it. */
  readonly fail: (error: unknown) => void;
}

/** How a {@link TimeLimit} works. */
export interface TimeLimitOptions {
  /** How long each work may take, in milliseconds. */
  readonly timeoutMs: number;
  /** The error of work that takes longer. */
  readonly makeError: (timeoutMs: number) => Error;
  /**
   * Keeps the process alive while there is work, for work that does not.
   * @default false
   */
  readonly keepsAlive?: boolean;
}

/** Limits the time of all work by one timer: all have the same time, so they expire in the order in which they began. */
export class TimeLimit {
  readonly #options: TimeLimitOptions;
  readonly #pending = new Set<Pending>();
  readonly #timer: WakeTimer;
  #isClosed = false;

  constructor(options: TimeLimitOptions) {
    const { keepsAlive = false } = options;
    this.#options = options;
    this.#timer = new WakeTimer((time) => this.#expire(time), keepsAlive);
  }

  /** Settles as `work.then(onValue, onError)` does; after the time, as if the work had failed. The work is not undone. */
  limit<T, Result = T>(
    work: PromiseLike<T>,
    onValue: (value: T) => Result | PromiseLike<Result> = (value) => value as unknown as Result,
    onError: (error: unknown) => Result | PromiseLike<Result> = raise,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => {
        if (!this.#end(pending)) return;
        try {
          resolve(onError(error));
        } catch (thrown) {
          reject(thrown);
        }
      };
      const pending: Pending = { due: now() + this.#options.timeoutMs, fail };
      this.#pending.add(pending);
      this.#timer.set(pending.due);
      work.then((value) => {
        if (!this.#end(pending)) return;
        try {
          resolve(onValue(value));
        } catch (thrown) {
          reject(thrown);
        }
      }, fail);
    });
  }

  /** Rejects all work that is under way. */
  rejectAll(error: Error): void {
    for (const { fail } of this.#pending) fail(error);
    this.close();
  }

  /** Stops the timer as soon as no work is under way. */
  close(): void {
    this.#isClosed = true;
    this.#restIfIdle();
  }

  /** False when it has ended before. */
  #end(pending: Pending): boolean {
    const isPending = this.#pending.delete(pending);
    this.#restIfIdle();
    return isPending;
  }

  #restIfIdle(): void {
    if (this.#pending.size > 0) return;
    if (this.#isClosed) this.#timer.stop();
    else this.#timer.rest();
  }

  /** A timer that finds nothing due was set for work that has settled. */
  #expire(time: number): void {
    for (const pending of this.#pending) {
      if (pending.due > time) {
        this.#timer.set(pending.due);
        return;
      }
      const { timeoutMs, makeError } = this.#options;
      pending.fail(makeError(timeoutMs));
    }
  }
}

function raise(error: unknown): never {
  throw error;
}
