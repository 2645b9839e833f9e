// The tails of one log in this process.
import { setImmediateOrTimeout } from "../../base/clock.ts";
import type { LogEntry, Position, Tail, TailBatch } from "../../log/log.ts";

/** The log, as its tails need it. */
export interface TailSource {
  /** The next entries after a position, which is verified; none at the head. */
  next(position: Position): TailBatch;
  /** The error as users of the log get it. */
  explain(error: unknown): unknown;
  /** There are tails from now on, or none any more. */
  onTails(hasTails: boolean): void;
  /** A tail could not read. It does so again when it is woken. */
  onFailure(): void;
}

export class Tails {
  readonly #source: TailSource;
  readonly #tails = new Set<LogTail>();

  constructor(source: TailSource) {
    this.#source = source;
  }

  add(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    const tail = new LogTail(this.#source, after, onEntries, onError, () => this.#delete(tail));
    this.#tails.add(tail);
    if (this.#tails.size === 1) this.#source.onTails(true);
    tail.wake();
    return tail;
  }

  /** This process has appended: its tails need not read that. */
  committed(batch: TailBatch): void {
    if (batch.entries.length === 0) return;
    for (const tail of this.#tails) tail.take(batch);
  }

  /** Another process may have appended. */
  wake(): void {
    for (const tail of this.#tails) tail.wake();
  }

  report(error: unknown): void {
    for (const tail of this.#tails) tail.report(error);
  }

  close(): void {
    for (const tail of this.#tails) tail.close();
  }

  #delete(tail: LogTail): void {
    if (this.#tails.delete(tail) && this.#tails.size === 0) this.#source.onTails(false);
  }
}

class LogTail implements Tail {
  readonly #source: TailSource;
  readonly #onEntries: (batch: TailBatch) => void;
  readonly #onError: (error: unknown) => void;
  readonly #onClose: () => void;
  #position: Position;
  /** It reads in turns of the event loop: what is appended until then is found there. */
  #isReading = false;
  #isClosed = false;

  constructor(
    source: TailSource,
    after: Position,
    onEntries: (batch: TailBatch) => void,
    onError: (error: unknown) => void,
    onClose: () => void,
  ) {
    this.#source = source;
    this.#position = after;
    this.#onEntries = onEntries;
    this.#onError = onError;
    this.#onClose = onClose;
  }

  /** Delivers what this process has appended, or reads what other processes appended before it. */
  take(batch: TailBatch): void {
    if (this.#isReading || this.#isClosed) return;
    const { epoch, offset, witness } = this.#position;
    const [first] = batch.entries as [LogEntry];
    const follows = batch.epoch === epoch && first.offset === offset + 1 && first.previousWitness === witness;
    if (follows) this.#deliver(batch);
    else this.wake();
  }

  /** Reads what follows on the position, one page in a turn of the event loop. */
  wake(): void {
    if (this.#isReading || this.#isClosed) return;
    this.#isReading = true;
    setImmediateOrTimeout(() => this.#read());
  }

  report(error: unknown): void {
    this.#onError(this.#source.explain(error));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClose();
  }

  #read(): void {
    if (this.#isClosed) return;
    this.#isReading = false;
    let batch: TailBatch;
    try {
      batch = this.#source.next(this.#position);
    } catch (error) {
      this.report(error);
      this.#source.onFailure();
      return;
    }
    if (batch.entries.length === 0) return;
    this.#deliver(batch);
    this.wake();
  }

  #deliver(batch: TailBatch): void {
    const { offset, witness } = batch.entries.at(-1) as LogEntry;
    this.#position = { epoch: batch.epoch, offset, witness };
    try {
      this.#onEntries(batch);
    } catch (error) {
      this.#onError(error);
    }
  }
}
