// Statements that get no answer: a connection may be cut off without either end being told.
import { unrefTimeout } from "../../base/clock.ts";
import { NoAnswerError } from "./connection.ts";

/**
 * Settles as `work` does, or rejects after a time. The work is not undone.
 *
 * @throws {NoAnswerError} after `timeoutMs` milliseconds.
 */
export function limited<T>(work: PromiseLike<T>, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    // The statement keeps the process alive where it should, this timer never.
    const timer = unrefTimeout(() => reject(new NoAnswerError(timeoutMs)), timeoutMs);
    const settle =
      <V>(settled: (value: V) => void) =>
      (value: V) => {
        clearTimeout(timer);
        settled(value);
      };
    work.then(settle(resolve), settle(reject));
  });
}
