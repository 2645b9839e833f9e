import { setImmediateOrTimeout, unrefTimeout } from "../../base/clock.ts";
import type { LogEntry, Position, Tail, TailBatch } from "../../log/log.ts";

/** How often it is asked whether other processes have appended, in milliseconds: from right after they did to long since. */
const minPollMs = 2;
const maxPollMs = 25;
/** How long to wait after the database could not be asked. */
const failureRetryMs = 500;

/** What the tails of a log ask of it. */
export interface TailSource {
  readonly epoch: string;
  /** The next entries behind a position, none at the head. */
  entriesAfter(position: number): LogEntry[];
  /** Where a tail begins that is to deliver the entries after a position. */
  offsetOf(position: Position): number;
  /** Nobody else appends: there is nothing to watch. */
  readonly isSole: boolean;
  /** Another number whenever another connection has changed the database. */
  version(): number;
  /** The error as users of the log get it. */
  explain(error: unknown): unknown;
}

/** All tails of one log in this process: one watch over the database, while there are any and others may write to it. */
export class Tails {
  readonly #source: TailSource;
  readonly #tails = new Set<SqliteTail>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** The version up to which the tails have been told to read. Zero is none that there is. */
  #version = 0;
  #delay = minPollMs;

  constructor(source: TailSource) {
    this.#source = source;
  }

  add(position: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    const tail = new SqliteTail(this.#source, this.#source.offsetOf(position), {
      onEntries,
      onError,
      onFailure: () => this.#lookAgain(),
      onClose: () => this.#delete(tail),
    });
    this.#tails.add(tail);
    tail.pull();
    if (this.#timer === null && !this.#source.isSole) this.#watch(minPollMs);
    return tail;
  }

  /** This process has appended: its tails need not ask. */
  committed(entries: readonly LogEntry[]): void {
    if (entries.length === 0) return;
    for (const tail of this.#tails) tail.take(entries);
  }

  close(): void {
    for (const tail of this.#tails) tail.close();
  }

  #delete(tail: SqliteTail): void {
    this.#tails.delete(tail);
    if (this.#tails.size > 0 || this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#version = 0;
  }

  #watch(delay: number): void {
    this.#delay = delay;
    this.#timer = unrefTimeout(() => this.#look(), delay);
  }

  #look(): void {
    this.#timer = null;
    let delay = Math.min(this.#delay * 1.5, maxPollMs);
    try {
      const version = this.#source.version();
      if (version !== this.#version) {
        this.#version = version;
        delay = minPollMs;
        for (const tail of this.#tails) tail.pull();
      }
    } catch (error) {
      delay = failureRetryMs;
      for (const tail of this.#tails) tail.report(error);
    }
    // A handler of the error may have closed the last tail.
    if (this.#tails.size > 0 && (delay === failureRetryMs || !this.#source.isSole)) this.#watch(delay);
  }

  /** A tail could not read: it is told to once more, after a while. */
  #lookAgain(): void {
    this.#version = 0;
    if (this.#tails.size === 0) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#watch(failureRetryMs);
  }
}

interface TailHandlers {
  onEntries(batch: TailBatch): void;
  onError(error: unknown): void;
  /** The database could not be read. */
  onFailure(): void;
  onClose(): void;
}

class SqliteTail implements Tail {
  readonly #source: TailSource;
  readonly #handlers: TailHandlers;
  #position: number;
  /** It reads from the database, in turns: what is appended meanwhile is found there. */
  #pulling = false;
  #closed = false;

  constructor(source: TailSource, after: number, handlers: TailHandlers) {
    this.#source = source;
    this.#position = after;
    this.#handlers = handlers;
  }

  /** Takes entries that were appended in this process; reads what other processes appended before them. */
  take(entries: readonly LogEntry[]): void {
    if (this.#pulling || this.#closed) return;
    if (entries[0]?.offset === this.#position + 1) this.#hand(entries);
    else this.pull();
  }

  /** Reads what is behind the position, one page in a turn of the event loop. */
  pull(): void {
    if (this.#pulling || this.#closed) return;
    this.#pulling = true;
    setImmediateOrTimeout(() => this.#step());
  }

  report(error: unknown): void {
    this.#handlers.onError(this.#source.explain(error));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers.onClose();
  }

  #step(): void {
    if (this.#closed) return;
    this.#pulling = false;
    let entries: LogEntry[];
    try {
      entries = this.#source.entriesAfter(this.#position);
    } catch (error) {
      this.report(error);
      this.#handlers.onFailure();
      return;
    }
    if (entries.length === 0) return;
    this.#hand(entries);
    this.pull();
  }

  #hand(entries: readonly LogEntry[]): void {
    this.#position = entries.at(-1)?.offset ?? this.#position;
    try {
      this.#handlers.onEntries({ epoch: this.#source.epoch, entries });
    } catch (error) {
      this.#handlers.onError(error);
    }
  }
}
