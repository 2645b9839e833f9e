// Statements that get no answer: a connection may be cut off without either end being told.
import { now, WakeTimer } from "../../base/clock.ts";
import { NoAnswerError } from "./connection.ts";

/** A statement under way. */
interface Pending {
  readonly due: number;
  readonly reject: (error: NoAnswerError) => void;
}

/**
 * Limits the time of all statements of a connection with one timer: making and clearing one for each takes longer than the rest of
 * its way through this process. It does not keep the process alive; the statements do where they should.
 */
export class TimeLimit {
  readonly #timeoutMs: number;
  /** The first one is due first, since all have the same time. */
  readonly #pending = new Set<Pending>();
  readonly #timer = new WakeTimer((time) => this.#expire(time));
  #closed = false;

  /** @param timeoutMs How long a statement may take, in milliseconds. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Settles as `work` does, or rejects after the time. The work is not undone.
   *
   * @throws {NoAnswerError} when the time is over.
   */
  limit<T>(work: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const pending: Pending = { due: now() + this.#timeoutMs, reject };
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

  /** Stops the timer as soon as no statement is under way. */
  close(): void {
    this.#closed = true;
    if (this.#pending.size === 0) this.#timer.stop();
  }

  #end(pending: Pending): void {
    this.#pending.delete(pending);
    if (this.#closed && this.#pending.size === 0) this.#timer.stop();
  }

  /** A timer that finds nothing due is for a statement that was answered. */
  #expire(time: number): void {
    for (const pending of this.#pending) {
      if (pending.due > time) {
        this.#timer.set(pending.due);
        return;
      }
      this.#pending.delete(pending);
      pending.reject(new NoAnswerError(this.#timeoutMs));
    }
  }
}
