// The deadline of the questions that connections ask the log: one timer for all of them.
import { now, WakeTimer } from "../base/clock.ts";
import { SourcecastError } from "../base/errors.ts";

/** Gives up questions after `limits.logTimeout`. An embedded log answers most of them before a timer is worth setting. */
export class LogDeadline {
  readonly #timeoutMs: number;
  readonly #timer = new WakeTimer((time) => this.#expire(time));
  /** In the order of their deadlines. */
  readonly #pending = new Set<Pending>();
  #isClosed = false;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Resolves or rejects as `answer` does, unless that takes too long.
   *
   * @param subject Names the question in the error: `log.read()`.
   * @throws {SourcecastError} `ERR_SSE_TIMEOUT` at the deadline, `ERR_SSE_CLOSED` when the hub is closed. A later answer is
   * ignored.
   */
  limit<T>(answer: Promise<T>, subject: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const pending = { due: now() + this.#timeoutMs, subject, reject };
      if (this.#isClosed) reject(closedError());
      else {
        this.#pending.add(pending);
        this.#timer.set(pending.due);
      }
      answer.then(
        (value) => {
          this.#pending.delete(pending);
          resolve(value);
        },
        (error) => {
          this.#pending.delete(pending);
          reject(error);
        },
      );
    });
  }

  /** Gives up all questions: the hub is closed. A log that does not answer would keep requests waiting for good. */
  close(): void {
    this.#isClosed = true;
    this.#timer.stop();
    for (const { reject } of this.#pending) reject(closedError());
    this.#pending.clear();
  }

  #expire(time: number): void {
    for (const pending of this.#pending) {
      if (pending.due > time) {
        this.#timer.set(pending.due);
        return;
      }
      this.#pending.delete(pending);
      pending.reject(timeoutError(pending.subject, this.#timeoutMs));
    }
  }
}

function closedError(): SourcecastError {
  return new SourcecastError("ERR_SSE_CLOSED", "The hub was closed while the log was asked; make a new one");
}

function timeoutError(subject: string, timeoutMs: number): SourcecastError {
  return new SourcecastError(
    "ERR_SSE_TIMEOUT",
    `${subject} has not settled within ${timeoutMs} ms; make the log answer sooner, or raise limits.logTimeout`,
  );
}

interface Pending {
  readonly due: number;
  readonly subject: string;
  reject(error: unknown): void;
}
