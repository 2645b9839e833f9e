// The sequence of a memory log: the retained entries, and the witnesses of those that were trimmed.
import { now } from "../../base/clock.ts";
import { makeWitness } from "../../log/identity.ts";
import type { Floor, LogEntry } from "../../log/log.ts";
import { type RetentionLimits, weightOf } from "../../log/retention.ts";
import { WitnessHistory } from "../../log/witness-history.ts";

/** Entries of a young ring that are not moved to its beginning. */
const minMovedEntries = 1_024;
/** Into how many groups the age is divided. Entries of one group expire together, none of them early. */
const maxAgeGroups = 4_096;

/**
 * Retained entries, contiguous, with their weight and age. Ages are monotonic: a clock that jumps expires nothing.
 *
 * The index of an entry follows from its offset, so finding one takes no search, and the ring needs no map of offsets.
 */
export class EntryRing {
  readonly #limits: RetentionLimits;
  readonly #origin: number = makeWitness();
  readonly #history: WitnessHistory;
  /** The position before the first retained entry: every entry up to here was trimmed. */
  #floor: Floor = { offset: 0, witness: this.#origin };
  /** Retained from `#start` on; before it are entries that were trimmed and not yet moved away. */
  #entries: LogEntry[] = [];
  #start = 0;
  #bytes = 0;
  /** When entries were appended, oldest first. */
  readonly #ages: AgeGroup[] = [];

  constructor(limits: RetentionLimits) {
    this.#limits = limits;
    this.#history = new WitnessHistory(limits.witnessAge);
  }

  get floor(): Floor {
    return this.#floor;
  }

  get size(): number {
    return this.#entries.length - this.#start;
  }

  /** Offset of the newest entry. */
  get top(): number {
    return this.#floor.offset + this.size;
  }

  /** Witness of the newest entry, of the origin before the first one. */
  get witness(): number {
    return this.#entries.at(-1)?.witness ?? this.#floor.witness;
  }

  /** The caller has given it the offset after `top`, and `witness` as its `previousWitness`: the ring does not check. */
  push(entry: LogEntry): void {
    this.#entries.push(entry);
    this.#bytes += weightOf(entry);
    if (this.#limits.age === Number.POSITIVE_INFINITY) return;
    // One record for each entry would take more memory than the age is worth. Entries of a group share the newest time.
    const time = now();
    const group = this.#ages.at(-1);
    if (group === undefined || time - group.begin > this.#limits.age / maxAgeGroups) {
      this.#ages.push({ begin: time, end: time, offset: entry.offset });
    } else {
      group.end = time;
      group.offset = entry.offset;
    }
  }

  /** Replaces a retained entry by one with the same offset and witness. */
  replace(entry: LogEntry): void {
    const index = this.#start + entry.offset - this.#floor.offset - 1;
    this.#bytes += weightOf(entry) - weightOf(this.#entries[index] as LogEntry);
    this.#entries[index] = entry;
  }

  /**
   * Takes away the oldest entry when it is over a limit. The newest one stays. One at a time, so that the caller can
   * update its channel with it, and stop when its turn has been long enough.
   */
  shiftExcess(): LogEntry | undefined {
    if (this.size < 2) return undefined;
    const { events, bytes } = this.#limits;
    const isOver = this.size > events || this.#bytes > bytes || this.#isExpired();
    return isOver ? this.#shift() : undefined;
  }

  /**
   * The retained entry at an offset, in constant time, since offsets are contiguous. `undefined` if trimmed or not yet
   * there.
   */
  at(offset: number): LogEntry | undefined {
    const { offset: floor } = this.#floor;
    return offset > floor ? this.#entries[this.#start + offset - floor - 1] : undefined;
  }

  /**
   * The witness at an offset, if it is known. Those of the origin and of the floor always are, even with a
   * `witnessAge` of 0: a client that has read everything up to the floor has missed nothing.
   */
  witnessAt(offset: number): number | undefined {
    if (offset === 0) return this.#origin;
    if (offset === this.#floor.offset) return this.#floor.witness;
    return this.at(offset)?.witness ?? this.#history.at(offset);
  }

  /**
   * The retained entries after an offset, at most `limit` of about `maxBytes`: the entry that reaches `maxBytes` is
   * still among them, so a tail proceeds however large an entry is. An offset below the floor reads from the floor.
   */
  after(offset: number, limit: number, maxBytes: number): LogEntry[] {
    const from = this.#start + Math.max(0, offset - this.#floor.offset);
    let bytes = 0;
    let to = from;
    while (to < this.#entries.length && to < from + limit && bytes < maxBytes) {
      bytes += weightOf(this.#entries[to++] as LogEntry);
    }
    return this.#entries.slice(from, to);
  }

  /**
   * Decided by the newest entry of the oldest group, so an entry may stay too long by the length of a group: `maxAge`
   * / 4096.
   */
  #isExpired(): boolean {
    const [oldest] = this.#ages;
    return oldest !== undefined && oldest.end + this.#limits.age <= now();
  }

  /**
   * Leaves the entry in the array and moves only `#start`: `Array.shift` moves all that follow. At most half of the
   * array is trimmed entries, so moving is constant work for each entry, and memory at most doubles.
   */
  #shift(): LogEntry {
    const oldest = this.#entries[this.#start++] as LogEntry;
    const { offset, witness } = oldest;
    this.#floor = { offset, witness };
    this.#history.push(offset, witness);
    this.#bytes -= weightOf(oldest);
    // Limits on entries and bytes trim in the middle of a group too, which then goes with its newest entry.
    if (this.#ages[0]?.offset === offset) this.#ages.shift();
    // Moving the rest is paid for by the entries that were trimmed since the last time.
    if (this.#start > minMovedEntries && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
    return oldest;
  }
}

/** Entries that were appended at about the same time. */
interface AgeGroup {
  readonly begin: number;
  /** When the newest of them was appended. */
  end: number;
  /** The newest of them. */
  offset: number;
}
