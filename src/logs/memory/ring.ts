import { makeWitness } from "../../log/identity.ts";
import type { Floor, LogEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { WitnessHistory } from "../../log/witness-history.ts";

/** The retained entries of a memory log, contiguous, with what they weigh. */
export class EntryRing {
  /** The position before the first retained entry: every entry up to here was trimmed. */
  floor: Floor = { offset: 0, witness: makeWitness() };
  /** Witnesses of the positions before the floor. */
  readonly #trimmedWitnesses: WitnessHistory;
  bytes = 0;
  /** Retained from `#start` on; before it lies what was trimmed and not yet moved away. */
  #entries: LogEntry[] = [];
  #start = 0;

  /** @param witnessAge How long the witness of a trimmed entry is kept, in milliseconds. */
  constructor(witnessAge: number) {
    this.#trimmedWitnesses = new WitnessHistory(witnessAge);
  }

  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** Offset of the newest entry. */
  get top(): number {
    return this.trimmed + this.size;
  }

  /** The offset before the first retained entry. */
  get trimmed(): number {
    return this.floor.offset;
  }

  /** Witness of the newest entry, of the origin before the first one. */
  get witness(): number {
    return this.newest?.witness ?? this.floor.witness;
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
    this.#trimmedWitnesses.push(this.floor.offset, this.floor.witness);
    this.floor = { offset: oldest.offset, witness: oldest.witness };
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

  /** The witness at an offset, if it is known. */
  witnessAt(offset: number): number | undefined {
    return offset === this.floor.offset
      ? this.floor.witness
      : (this.at(offset)?.witness ?? this.#trimmedWitnesses.at(offset));
  }

  /** The retained entries after an offset. */
  entriesAfter(after: number): LogEntry[] {
    return this.#entries.slice(this.#start + Math.max(0, after - this.trimmed));
  }
}
