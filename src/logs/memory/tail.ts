import type { LogEntry, Tail, TailBatch } from "../../log/log.ts";

/** What a {@link MemoryTail} follows. */
export interface TailSource {
  readonly epoch: string;
  entriesAfter(after: number): LogEntry[];
}

/** One follower of a memory log. */
export class MemoryTail implements Tail {
  readonly #source: TailSource;
  #position: number;
  readonly #onEntries: (batch: TailBatch) => void;
  readonly #onError: (error: unknown) => void;
  readonly #onClose: (tail: MemoryTail) => void;
  #closed = false;
  #advancing = false;

  constructor(
    source: TailSource,
    after: number,
    onEntries: (batch: TailBatch) => void,
    onError: (error: unknown) => void,
    onClose: (tail: MemoryTail) => void,
  ) {
    this.#source = source;
    this.#position = after;
    this.#onEntries = onEntries;
    this.#onError = onError;
    this.#onClose = onClose;
  }

  /** Hands over what is new. A handler that appends gets its own entries after it has returned. */
  advance(): void {
    if (this.#advancing) return;
    this.#advancing = true;
    while (!this.#closed) {
      const entries = this.#source.entriesAfter(this.#position);
      const last = entries[entries.length - 1];
      if (last === undefined) break;
      this.#position = last.offset;
      try {
        this.#onEntries({ epoch: this.#source.epoch, entries });
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#advancing = false;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose(this);
  }
}
