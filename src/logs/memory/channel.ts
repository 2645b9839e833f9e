import type { LogEntry } from "../../log/log.ts";

/** What a memory log knows of one channel: what a reader can still get, and what was trimmed of it. */
export class MemoryChannel {
  /** Highest offset lost to retention: of entries without a key, since those with one live on in their newest. */
  trimmed: number;
  /** Offset of its newest entry, retained or not. */
  last = 0;
  /** In order; some are dead: trimmed, and of no key or superseded. */
  #entries: LogEntry[] = [];
  #dead = 0;
  #newest: Map<string, LogEntry> | null = null;

  constructor(trimmed: number) {
    this.trimmed = trimmed;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** @param floor Every entry of the log up to here was trimmed. */
  add(entry: LogEntry, floor: number): void {
    this.#entries.push(entry);
    this.last = entry.offset;
    if (entry.key === undefined) return;
    this.#newest ??= new Map();
    const previous = this.#newest.get(entry.key);
    this.#newest.set(entry.key, entry);
    if (previous !== undefined && previous.offset <= floor) this.#bury(floor);
  }

  /** The log has trimmed this entry, its `floor`. The newest of a key stays. */
  trim(entry: LogEntry): void {
    if (entry.key === undefined) this.trimmed = entry.offset;
    else if (!this.#isSuperseded(entry)) return;
    this.#bury(entry.offset);
  }

  /** After `after`: at most `limit` entries, and the offsets of the superseded ones that were left out up to there. */
  read(after: number, limit: number, floor: number, conflate: boolean): { entries: LogEntry[]; superseded: number[] } {
    const entries: LogEntry[] = [];
    const superseded: number[] = [];
    for (let at = firstAfter(this.#entries, after); at < this.#entries.length && entries.length < limit; at++) {
      const entry = this.#entries[at] as LogEntry;
      if (!this.#isAlive(entry, floor)) continue;
      if (conflate && this.#isSuperseded(entry)) superseded.push(entry.offset);
      else entries.push(entry);
    }
    return { entries, superseded };
  }

  /** The last `count` that are not superseded, newest first. */
  lastEntries(count: number, floor: number): LogEntry[] {
    const found: LogEntry[] = [];
    for (let at = this.#entries.length - 1; at >= 0 && found.length < count; at--) {
      const entry = this.#entries[at] as LogEntry;
      if (this.#isAlive(entry, floor) && !this.#isSuperseded(entry)) found.push(entry);
    }
    return found;
  }

  /** The newest of each key. */
  latest(): LogEntry[] {
    return this.#newest === null ? [] : [...this.#newest.values()];
  }

  #isSuperseded(entry: LogEntry): boolean {
    return entry.key !== undefined && this.#newest?.get(entry.key) !== entry;
  }

  #isAlive(entry: LogEntry, floor: number): boolean {
    return entry.offset > floor || (entry.key !== undefined && !this.#isSuperseded(entry));
  }

  /** One more is dead. The list is cleaned when half of it is. */
  #bury(floor: number): void {
    this.#dead++;
    if (this.#dead * 2 <= this.#entries.length) return;
    this.#entries = this.#entries.filter((entry) => this.#isAlive(entry, floor));
    this.#dead = 0;
  }
}

function firstAfter(entries: readonly LogEntry[], after: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as LogEntry).offset > after) high = middle;
    else low = middle + 1;
  }
  return low;
}
