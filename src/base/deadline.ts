// Waiting for the application, or for a store, with an end.
import { now, WakeTimer } from "./clock.ts";
import { SourcecastError } from "./errors.ts";

/**
 * Resolves or rejects as `work` does, unless that takes longer than `timeout` milliseconds.
 *
 * @param subject Names the work in the error: `authorize()`.
 * @param option Names the option that sets the deadline.
 * @throws {SourcecastError} `ERR_SSE_TIMEOUT` at the deadline. A later result is ignored.
 */
export function withDeadline<T>(
  work: T | Promise<T>,
  timeout: number,
  subject: string,
  option: string,
): T | Promise<T> {
  if (!isPromise(work)) return work;
  return new Promise((resolve, reject) => {
    const timer = new WakeTimer(() => {
      reject(
        new SourcecastError(
          "ERR_SSE_TIMEOUT",
          `${subject} has not settled within ${timeout} ms; make it settle sooner, or raise ${option}`,
        ),
      );
    });
    timer.set(now() + timeout);
    const settled = (): void => timer.stop();
    work.then(resolve, reject);
    work.then(settled, settled);
  });
}

/** Whether a callback returned a promise, of whatever implementation. */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === "function";
}
