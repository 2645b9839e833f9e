// Group commit: the appends of one tick are stored together, and each call gets its own outcome.
import { now, setImmediateOrTimeout, WakeTimer } from "../base/clock.ts";
import { isPromise } from "../base/deadline.ts";
import { LogError } from "../base/errors.ts";
import { aCount, aDuration, aFunction, aSize, checkOptions, type OptionChecks } from "../base/options.ts";
import { bytes, type Duration, milliseconds, type Size } from "../base/units.ts";
import { type AppendCall, type AppendOutcome, isCertain, PendingCall } from "./append-call.ts";
import { closedError } from "./errors.ts";
import { makeEpoch } from "./identity.ts";
import type { Appended, NewEntry } from "./log.ts";

export type { AppendCall, AppendOutcome };

/** The options of an {@link AppendQueue}. */
export interface AppendQueueOptions {
  /**
   * Stores calls in their order, and resolves with an outcome for each. Called again only after it has settled.
   *
   * When it rejects, no outcome is known. A `LogError` with `stored: false` says that no call was stored: the queue then
   * stores the halves of the batch separately, so that one call that cannot be stored fails alone.
   */
  readonly store: (calls: readonly AppendCall[]) => Promise<readonly AppendOutcome[]> | readonly AppendOutcome[];
  /**
   * Whether storing the same calls again may help: after a lost connection, for a lock. Unless the error is a `LogError`
   * with `stored: false`, the store must recognize `AppendCall.id`. @default never
   */
  readonly canRetry?: (error: unknown) => boolean;
  /** Time after which a call is given up, and its outcome reported as unknown. @default "10s" */
  readonly deadline?: Duration;
  /** Most calls of one batch, whose entries are stored together. @default 1024 */
  readonly maxCalls?: number;
  /** Most bytes of one batch, as `weightOf` counts them; a larger call is a batch of its own. @default "4mb" */
  readonly maxBytes?: Size;
}

const checks: OptionChecks<AppendQueueOptions> = {
  store: aFunction,
  canRetry: aFunction,
  deadline: aDuration,
  maxCalls: aCount(1),
  maxBytes: aSize,
};

const firstRetryMs = 5;
const maxRetryMs = 500;

/**
 * Collects the calls of a tick, stores them in batches, one batch at a time, and settles each call with its own outcome.
 *
 * @example
 * ```ts
 * import { type Appended, AppendQueue } from "sourcecast/log";
 *
 * const stored: string[] = [];
 * const place = (data: string): Appended => ({ epoch: "example", offset: stored.push(data), witness: 7 });
 * const queue = new AppendQueue({
 *   store: (calls) => calls.map(({ entries }) => entries.map(({ data }) => place(data))),
 * });
 * const [[first], [second]] = await Promise.all([
 *   queue.append([{ channel: "news", type: "headline", data: "Rain" }]),
 *   queue.append([{ channel: "news", type: "headline", data: "Sun" }]),
 * ]);
 * console.log(first?.offset, second?.offset); // 1 2
 * await queue.close();
 * ```
 */
export class AppendQueue {
  readonly #options: AppendQueueOptions;
  readonly #deadlineMs: number;
  readonly #maxCalls: number;
  readonly #maxBytes: number;
  readonly #id: string = makeEpoch();
  #count = 0;
  /** Calls that have not been handed to the store yet. */
  #waiting: PendingCall[] = [];
  /** Calls that are being stored, or wait for another attempt. */
  #batch: readonly PendingCall[] = [];
  #running = false;
  readonly #timer = new WakeTimer((time) => this.#expire(time));
  #closed = false;
  #endPause: () => void = () => {};
  #onSettled: () => void = () => {};

  /**
   * @param options How calls are stored, and the limits of the queue.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for values that are not allowed.
   */
  constructor(options: AppendQueueOptions) {
    checkOptions(options ?? {}, checks, "new AppendQueue()");
    checks.store(options?.store, "store");
    this.#options = options;
    this.#deadlineMs = milliseconds(options.deadline ?? "10s", "deadline");
    this.#maxCalls = options.maxCalls ?? 1_024;
    this.#maxBytes = bytes(options.maxBytes ?? "4mb", "maxBytes");
  }

  /**
   * Resolves with the positions of the entries.
   *
   * @throws {SourcecastError} The outcome that the store gave for this call; a {@link LogError} when it failed;
   * `ERR_SSE_CLOSED` after `close()`.
   */
  append(entries: readonly NewEntry[]): Promise<Appended[]> {
    if (this.#closed) return Promise.reject(closedError());
    if (entries.length === 0) return Promise.resolve([]);
    const id = `${this.#id}.${++this.#count}`;
    const call = new PendingCall(id, entries, now() + this.#deadlineMs);
    this.#waiting.push(call);
    // The calls that are made until the end of the tick share one batch.
    if (!this.#running) setImmediateOrTimeout(this.#storeNext);
    else if (this.#batch.length > 0) this.#timer.set(call.deadline);
    this.#running = true;
    return call.promise;
  }

  /** Settles the calls that were made before, and rejects later ones. No attempt is repeated from now on. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#endPause();
    // A store that never answers keeps its calls until their deadline, and nothing longer.
    while (this.#unsettled().length > 0) {
      await new Promise<void>((resolve) => {
        this.#onSettled = resolve;
      });
    }
    this.#timer.stop();
  }

  readonly #storeNext = (): void => {
    this.#batch = this.#nextBatch();
    const storing = this.#store(this.#batch, firstRetryMs);
    if (storing === undefined) {
      this.#afterBatch();
      return;
    }
    this.#watchDeadline();
    void storing.then(this.#afterBatch);
  };

  readonly #afterBatch = (): void => {
    this.#batch = [];
    this.#onSettled();
    if (this.#waiting.length > 0) {
      setImmediateOrTimeout(this.#storeNext);
      return;
    }
    this.#running = false;
    this.#timer.rest();
  };

  #nextBatch(): PendingCall[] {
    const waiting = this.#waiting;
    if (waiting.length === 1) {
      this.#waiting = [];
      return waiting;
    }
    let size = 0;
    const end = waiting.findIndex(({ weight }, index) => {
      size += weight;
      return index === this.#maxCalls || (index > 0 && size > this.#maxBytes);
    });
    return waiting.splice(0, end === -1 ? waiting.length : end);
  }

  /** Without a promise when the store answers at once, as an embedded database does: a promise for each step costs more. */
  #store(batch: readonly PendingCall[], retryDelay: number): Promise<void> | undefined {
    const calls = batch.filter(isUnsettled);
    if (calls.length === 0) return undefined;
    for (const call of calls) call.begin();
    try {
      const outcomes = this.#options.store(calls);
      if (isPromise(outcomes)) return this.#settleLater(calls, outcomes, retryDelay);
      settleAll(calls, outcomes);
      return undefined;
    } catch (error) {
      return this.#settleLater(calls, Promise.reject(error), retryDelay);
    }
  }

  async #settleLater(
    calls: readonly PendingCall[],
    outcomes: Promise<readonly AppendOutcome[]>,
    retryDelay: number,
  ): Promise<void> {
    try {
      settleAll(calls, await outcomes);
      return;
    } catch (cause) {
      const error = cause ?? new Error("The store rejected without an error");
      for (const call of calls) call.attemptFailed(error);
      if (this.#options.canRetry?.(error) !== true || this.#closed) return this.#giveUp(calls, error);
    }
    await this.#pause(retryDelay);
    await this.#store(calls, Math.min(retryDelay * 2, maxRetryMs));
  }

  async #giveUp(calls: readonly PendingCall[], error: unknown): Promise<void> {
    if (calls.length === 1 || !isCertain(error) || this.#options.canRetry?.(error) === true) {
      for (const call of calls) call.fail(error);
      return;
    }
    const half = calls.length >> 1;
    await this.#store(calls.slice(0, half), firstRetryMs);
    await this.#store(calls.slice(half), firstRetryMs);
  }

  #pause(delay: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Oldest first. */
  #unsettled(): PendingCall[] {
    return [...this.#batch, ...this.#waiting].filter(isUnsettled);
  }

  /** Calls are watched one after the other: a call has a later deadline than those before it. */
  #watchDeadline(): void {
    const oldest = this.#batch.find(isUnsettled) ?? this.#waiting[0];
    if (oldest !== undefined) this.#timer.set(oldest.deadline);
  }

  #expire(time: number): void {
    for (const call of this.#unsettled()) if (call.deadline <= time) call.expire(this.#deadlineMs);
    this.#waiting = this.#waiting.filter(isUnsettled);
    this.#watchDeadline();
    this.#onSettled();
  }
}

function isUnsettled({ settled }: PendingCall): boolean {
  return !settled;
}

/** @throws {LogError} When the store did not give an outcome for each call. */
function settleAll(calls: readonly PendingCall[], outcomes: readonly AppendOutcome[]): void {
  if (outcomes.length !== calls.length) {
    throw new LogError(`The store gave ${outcomes.length} outcomes for ${calls.length} calls`, "unknown");
  }
  for (let index = 0; index < calls.length; index++) calls[index]?.settle(outcomes[index] as AppendOutcome);
}
