// The deadlines of the calls to the log: one timer for all questions, and one for all appends.
import { now, WakeTimer } from "../base/clock.ts";
import { LogError, SourcecastError } from "../base/errors.ts";

/** The timer sleeps no longer, so that none is left soon after the last call: in a Durable Object it would keep the object alive. */
const maxSleepMs = 5_000;

/** Called with the outcome of each call. */
export interface LogObserver {
  /** The log has answered in time. */
  onAnswer(): void;
  /** The log has failed, or has not answered in time. */
  onFailure(error: unknown): void;
}

/** Gives up calls after a time. An embedded log answers most of them before a timer is worth setting. */
export class LogDeadline {
  readonly #timeoutMs: number;
  readonly #observer: LogObserver;
  readonly #makeError: (subject: string, timeoutMs: number) => SourcecastError;
  readonly #timer = new WakeTimer((time) => this.#expire(time));
  /** In the order of their deadlines. */
  readonly #pending = new Set<Pending>();
  #isClosed = false;

  /**
   * @param timeoutMs `limits.logTimeout` for questions, `limits.publishTimeout` for appends.
   * @param observer Called before the caller learns of the outcome.
   * @param makeError Makes the error of a call that was given up.
   */
  constructor(
    timeoutMs: number,
    observer: LogObserver,
    makeError: (subject: string, timeoutMs: number) => SourcecastError = questionTimeout,
  ) {
    this.#timeoutMs = timeoutMs;
    this.#observer = observer;
    this.#makeError = makeError;
  }

  /**
   * Resolves or rejects as `answer` does, unless that takes too long.
   *
   * @param subject Names the question in the error: `log.read()`.
   * @throws {SourcecastError} at the deadline, `ERR_SSE_TIMEOUT` for a question and `ERR_SSE_LOG` for an append; `ERR_SSE_CLOSED`
   * when the hub is closed. A later answer is ignored.
   */
  limit<T>(answer: Promise<T>, subject: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const time = now();
      const pending = { due: time + this.#timeoutMs, subject, reject };
      if (this.#isClosed) reject(closedError());
      else {
        this.#pending.add(pending);
        this.#sleep(time, pending.due);
      }
      answer.then(
        (value) => {
          if (this.#pending.delete(pending)) this.#observer.onAnswer();
          resolve(value);
        },
        (error) => {
          if (this.#pending.delete(pending)) this.#observer.onFailure(error);
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

  #sleep(time: number, due: number): void {
    this.#timer.set(Math.min(due, time + maxSleepMs));
  }

  #expire(time: number): void {
    for (const pending of this.#pending) {
      if (pending.due > time) {
        this.#sleep(time, pending.due);
        return;
      }
      this.#pending.delete(pending);
      const error = this.#makeError(pending.subject, this.#timeoutMs);
      this.#observer.onFailure(error);
      pending.reject(error);
    }
  }
}

function closedError(): SourcecastError {
  return new SourcecastError("ERR_SSE_CLOSED", "The hub was closed before the log answered; make a new one");
}

/** The error of an append that the log neither accepted nor rejected in time: it may still be stored. */
export function appendTimeout(subject: string, timeoutMs: number): SourcecastError {
  return new LogError(
    `${subject} has not settled within ${timeoutMs} ms, and may still store the events; publish again with the same ` +
      "idempotencyKey, or raise limits.publishTimeout",
    "unknown",
  );
}

function questionTimeout(subject: string, timeoutMs: number): SourcecastError {
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
