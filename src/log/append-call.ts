// One call of an append queue: as the store gets it, and with everything that is known of its outcome.
import { LogError, SourcecastError } from "../base/errors.ts";
import type { Appended, NewEntry } from "./log.ts";
import { weightOf } from "./retention.ts";

/** One call of `append`, on its way into the store. */
export interface AppendCall {
  /** Identifies the call in all processes. A store that has seen it returns the positions that it gave then. */
  readonly id: string;
  /** The entries, to be stored next to each other. */
  readonly entries: readonly NewEntry[];
  /** 1 for the first attempt. After that, an earlier attempt may have stored the call. */
  readonly attempt: number;
}

/** The positions of a call's entries, or the reason why this call alone was not stored, such as a conflict. */
export type AppendOutcome = readonly Appended[] | Error;

/**
 * Settles once. Until then, it remembers whether some attempt may have stored the call: the certainty of the last error alone
 * would be a promise that an earlier attempt may break.
 */
export class PendingCall implements AppendCall {
  readonly id: string;
  readonly entries: readonly NewEntry[];
  readonly promise: Promise<Appended[]>;
  readonly deadline: number;
  readonly weight: number;
  attempt = 0;
  settled = false;
  #inFlight = false;
  /** An attempt ended without saying whether it stored the call. */
  #mayBeStored = false;
  #lastError: unknown;
  readonly #resolve: (appended: Appended[]) => void;
  readonly #reject: (error: unknown) => void;

  constructor(id: string, entries: readonly NewEntry[], deadline: number) {
    this.id = id;
    this.entries = entries;
    this.deadline = deadline;
    let weight = 0;
    for (let index = 0; index < entries.length; index++) weight += weightOf(entries[index] as NewEntry);
    this.weight = weight;
    const { promise, resolve, reject } = Promise.withResolvers<Appended[]>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(): void {
    this.attempt++;
    this.#inFlight = true;
  }

  attemptFailed(error: unknown): void {
    this.#inFlight = false;
    this.#lastError = error;
    if (!isCertain(error)) this.#mayBeStored = true;
  }

  settle(outcome: AppendOutcome): void {
    if (outcome instanceof Error) this.fail(outcome);
    else if (!this.settled) {
      this.settled = true;
      this.#resolve([...outcome]);
    }
  }

  /** An error of the log says whether the call is stored; other errors of this package mean that it is not. */
  fail(error: unknown): void {
    if (this.settled) return;
    this.settled = true;
    const isFinal = error instanceof LogError ? error.stored === "unknown" || !this.#mayBeStored : isCertain(error);
    this.#reject(isFinal ? error : unknownOutcome(error));
  }

  expire(deadlineMs: number): void {
    if (this.#mayBeStored || this.#inFlight) {
      this.fail(unknownOutcome(this.#lastError ?? `it did not answer within ${deadlineMs} ms`));
    } else this.fail(this.#lastError ?? new LogError(`The log did not store within ${deadlineMs} ms`, false));
  }
}

function unknownOutcome(cause: unknown): LogError {
  const found = cause instanceof Error ? cause.message : String(cause);
  return new LogError(
    `The log failed, and may have stored the entries: ${found}; publish again with the same idempotencyKey`,
    "unknown",
    { cause },
  );
}

/** True when the error says that nothing was stored. */
export function isCertain(error: unknown): boolean {
  return error instanceof SourcecastError && (!(error instanceof LogError) || error.stored === false);
}
