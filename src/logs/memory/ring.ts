import { type LogEntry, weightOf } from "../../log/log.ts";

/** The retained entries of a memory log, contiguous, with what they weigh. */
export class EntryRing {
  /** The offset before the first retained entry: every entry up to here was trimmed. */
  trimmed = 0;
  bytes = 0;
  /** Retained from `#start` on; before it lies what was trimmed and not yet moved away. */
  #entries: LogEntry[] = [];
  #start = 0;

  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** Offset of the newest entry. */
  get top(): number {
    return this.trimmed + this.size;
  }

  get oldest(): LogEntry | undefined {
    return this.#entries[this.#start];
  }

  get newest(): LogEntry | undefined {
    return this.#entries[this.#entries.length - 1];
  }

  push(entry: LogEntry): void {
    this.#entries.push(entry);
    this.bytes += weightOf(entry);
  }

  /** Takes the oldest entry away. */
  shift(): LogEntry {
    const oldest = this.#entries[this.#start++] as LogEntry;
    this.trimmed = oldest.offset;
    this.bytes -= weightOf(oldest);
    // Moving the rest is paid for by the entries that were trimmed since the last time.
    if (this.#start > 1_024 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
    return oldest;
  }

  at(offset: number): LogEntry | undefined {
    return offset > this.trimmed ? this.#entries[this.#start + offset - this.trimmed - 1] : undefined;
  }

  /** The retained entries behind an offset. */
  behind(after: number): LogEntry[] {
    return this.#entries.slice(this.#start + Math.max(0, after - this.trimmed));
  }
}
