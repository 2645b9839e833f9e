// Many tails over one store: each delivers every entry once and in order, and detects when the log was cut or replaced.
import { runDetached } from "../base/async-context.ts";
import { unrefTimeout } from "../base/clock.ts";
import {
  aDuration,
  aFunction,
  anObjectWith,
  checkOptions,
  type OptionCheck,
  type OptionChecks,
} from "../base/options.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import { FannedTail, type TailSource } from "./fanned-tail.ts";
import type { LogEntry, Position, Tail, TailBatch } from "./log.ts";

export type { TailSource };

/** The options of a {@link TailFanout}. */
export interface TailFanoutOptions {
  /**
   * How often the log is read while nothing wakes the tails, as a duration; `false` for a log that only this process
   * writes to, and that cannot lose entries. @default "500ms"
   */
  readonly poll?: Duration | false;
  /**
   * Called with each tail that begins: starts what notices the entries of other processes, such as a connection, if it is not
   * running. @default nothing
   */
  readonly onTail?: () => void;
  /** Called when the last tail has ended: stops it, so that a log without tails costs nothing. @default nothing */
  readonly onIdle?: () => void;
}

const aSource: OptionCheck = anObjectWith("an object with the method read()", "read");

const checks: OptionChecks<TailFanoutOptions> = {
  poll: (value, name) => value === false || aDuration(value, name),
  onTail: aFunction,
  onIdle: aFunction,
};

/**
 * The tails of a log in this process. The log calls `offer` with the entries that it appends or receives, and `wake`
 * when there may be others. Each tail reads the entries that it was not offered.
 */
export class TailFanout {
  readonly #source: TailSource;
  readonly #pollMs: number;
  readonly #onTail: () => void;
  readonly #onIdle: () => void;
  readonly #tails = new Set<FannedTail>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  /**
   * @param source The log.
   * @param options How often it is read.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for values that are not allowed.
   */
  constructor(source: TailSource, options: TailFanoutOptions = {}) {
    aSource(source, "source");
    checkOptions(options, checks, "new TailFanout()");
    const { poll = "500ms", onTail = () => {}, onIdle = () => {} } = options;
    this.#source = source;
    this.#onTail = onTail;
    this.#onIdle = onIdle;
    this.#pollMs = poll === false ? Number.POSITIVE_INFINITY : milliseconds(poll, "poll");
  }

  /** How many tails there are. */
  get size(): number {
    return this.#tails.size;
  }

  /**
   * Starts a tail, as `Log.tail` does, outside of every request's async context: connections share a tail, and it outlives the
   * request in which it begins.
   */
  add(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    return runDetached(() => this.#add(after, onEntries, onError));
  }

  #add(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    const tail = new FannedTail(this.#source, after, { onEntries, onError, onClose: () => this.#delete(tail) });
    this.#tails.add(tail);
    tail.pull();
    this.#schedulePoll();
    // A tail may have ended within its first delivery.
    if (this.#tails.has(tail)) this.#onTail();
    return tail;
  }

  /** Entries that follow one another, of the present epoch. Tails that they continue deliver them before this returns. */
  offer(epoch: string, entries: readonly LogEntry[]): void {
    if (entries.length > 0) for (const tail of this.#tails) tail.take(epoch, entries);
  }

  /** There may be entries that were not offered, or the log may have changed: each tail reads. */
  wake(): void {
    for (const tail of this.#tails) tail.pull();
  }

  /** The store cannot be reached: reported to every tail. */
  report(error: unknown): void {
    for (const tail of this.#tails) tail.report(error);
  }

  /** Ends all tails. */
  close(): void {
    for (const tail of this.#tails) tail.close();
  }

  #delete(tail: FannedTail): void {
    if (!this.#tails.delete(tail) || this.#tails.size > 0) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#onIdle();
  }

  #schedulePoll(): void {
    if (this.#timer !== null || this.#pollMs === Number.POSITIVE_INFINITY) return;
    this.#timer = unrefTimeout(() => {
      this.#timer = null;
      this.wake();
      if (this.#tails.size > 0) this.#schedulePoll();
    }, this.#pollMs);
  }
}
