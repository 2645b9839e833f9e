// Many tails over one store: each delivers every entry once and in order, and detects when the log was cut or replaced.
import { runDetached } from "../base/async-context.ts";
import { now, setImmediateOrTimeout, unrefTimeout } from "../base/clock.ts";
import { LogError } from "../base/errors.ts";
import {
  aDuration,
  aFunction,
  anObjectWith,
  checkOptions,
  type OptionCheck,
  type OptionChecks,
} from "../base/options.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import { followTail, type TailPage, type TailPosition } from "./follow-tail.ts";
import type { LogEntry, Position, Tail, TailBatch } from "./log.ts";

/** The part of a log that a {@link TailFanout} uses. */
export interface TailSource {
  /**
   * The entries after an offset, as many as are read at once, with the head of the same state. Both MUST come from the
   * primary: a tail goes back where they say so.
   */
  read(after: number): TailPage | Promise<TailPage>;
}

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

const failureRetryMs = 500;
/** Pages that are read for offered entries that do not continue a tail, while the call that offers them waits. */
const maxPagesAtOnce = 4;

/**
 * The tails of a log in this process. The log calls `offer` with the entries that it appends or receives, and `wake` when
 * there may be others; each tail reads those that it was not offered.
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

type Found = "more" | "missing" | "end";

interface TailHandlers {
  onEntries(batch: TailBatch): void;
  onError(error: unknown): void;
  onClose(): void;
}

class FannedTail implements Tail {
  readonly #source: TailSource;
  readonly #handlers: TailHandlers;
  #position: TailPosition;
  /** Batches that were offered while a handler ran: it is not called within itself. */
  #offered: TailBatch[] = [];
  #isDelivering = false;
  #isPulling = false;
  /** There may be more than the read under way brings. */
  #mustPullAgain = false;
  /** False once a read had to be waited for. */
  #canReadAtOnce = true;
  #retryAt = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(source: TailSource, after: Position, handlers: TailHandlers) {
    this.#source = source;
    this.#position = after;
    this.#handlers = handlers;
  }

  take(epoch: string, entries: readonly LogEntry[]): void {
    if (this.#closed) return;
    if (this.#isDelivering) this.#offered.push({ epoch, entries });
    else if (this.#isContinuedBy(epoch, entries[0] as LogEntry)) this.#deliver({ epoch, entries });
    else if (!this.#canReadAtOnce || !this.#readAtOnce()) this.pull();
  }

  pull(): void {
    if (this.#closed || now() < this.#retryAt) return;
    this.#mustPullAgain = true;
    if (!this.#isPulling) void this.#pull();
  }

  report(error: unknown): void {
    if (!this.#closed) guarded(() => this.#handlers.onError(error));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#offered = [];
    clearTimeout(this.#retryTimer);
    this.#handlers.onClose();
  }

  /**
   * Reads the entries before those that were offered, from a store that answers at once: a moment later, retention might
   * have removed them. False when there is more to read.
   */
  #readAtOnce(): boolean {
    for (let pages = 0; pages < maxPagesAtOnce && !this.#closed; pages++) {
      let page: TailPage | Promise<TailPage>;
      try {
        page = this.#source.read(this.#position.offset);
      } catch {
        // Read again, and reported, in a moment.
        return false;
      }
      if (page instanceof Promise) {
        this.#canReadAtOnce = false;
        page.catch(() => {});
        return false;
      }
      if (this.#apply(page, true) === "end") return true;
    }
    return this.#closed;
  }

  async #pull(): Promise<void> {
    this.#isPulling = true;
    // Not within the call that asks for it, which may be the one that makes the tail.
    await null;
    try {
      let isRepeated = false;
      while (this.#mustPullAgain && !this.#closed) {
        this.#mustPullAgain = false;
        const position = this.#position;
        const page = await this.#source.read(position.offset);
        if (this.#closed) return;
        // Entries that were offered while the page was on its way came first.
        const found: Found = this.#position === position ? this.#apply(page, isRepeated) : "more";
        isRepeated = found === "missing";
        if (found !== "end") this.#mustPullAgain = true;
        // One page in a turn of the event loop: others have theirs in between.
        if (found === "more") await new Promise<void>((resolve) => setImmediateOrTimeout(resolve));
      }
    } catch (error) {
      this.report(error);
      this.#retryLater();
    } finally {
      this.#isPulling = false;
    }
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#retryAt = now() + failureRetryMs;
    this.#retryTimer = unrefTimeout(() => {
      this.#retryAt = 0;
      this.pull();
    }, failureRetryMs);
  }

  /** Delivers a page, or goes back: `more` when there may be more to read, `missing` when the same is to be read again. */
  #apply(page: TailPage, isRepeated: boolean): Found {
    const position = this.#position;
    const step = followTail(position, page);
    if (step.kind === "goBack") {
      this.#position = step.to;
      return "more";
    }
    if (step.kind === "missing") {
      if (!isRepeated) return "missing";
      const offset = position.offset + 1;
      this.report(new LogError(`The log does not return the entry at offset ${offset}, which it retains`, false));
    }
    const { head, entries } = page;
    if (entries.length > 0) {
      this.#deliver({ epoch: head.epoch, entries });
      return "more";
    }
    // At the head: verified now, if it was not before.
    if (position.witness === null) this.#position = { ...position, witness: head.witness };
    return "end";
  }

  #isContinuedBy(epoch: string, { offset, previousWitness }: LogEntry): boolean {
    const position = this.#position;
    return epoch === position.epoch && offset === position.offset + 1 && previousWitness === position.witness;
  }

  #deliver(batch: TailBatch): void {
    this.#isDelivering = true;
    for (let next: TailBatch | undefined = batch; next !== undefined && !this.#closed; next = this.#offered.shift()) {
      const { epoch, entries } = next;
      if (next !== batch && !this.#isContinuedBy(epoch, entries[0] as LogEntry)) {
        this.#offered = [];
        this.pull();
        break;
      }
      const { offset, witness } = entries.at(-1) as LogEntry;
      this.#position = { epoch, offset, witness };
      try {
        this.#handlers.onEntries({ epoch, entries });
      } catch (error) {
        this.report(error);
      }
    }
    this.#isDelivering = false;
  }
}

/** An error of `onError` has no handler left: it is the application's uncaught exception. */
function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
