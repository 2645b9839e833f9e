// A list of entries in the order of their offsets, in short arrays, so that an entry can be removed from anywhere.
import type { LogEntry } from "../../log/log.ts";

/** Entries of one array. Removing one moves no more than these. */
const maxChunkEntries = 512;

/**
 * Entries by offset: appended at the end, removed anywhere, read from any offset on.
 *
 * Adding one costs constant time. Finding a place is two binary searches, and removing one also moves at most a chunk.
 * In one array, each superseded value would move all that came after it.
 */
export class EntryList {
  /** In order, none of them empty. */
  readonly #chunks: LogEntry[][] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get last(): LogEntry | undefined {
    return this.#chunks.at(-1)?.at(-1);
  }

  /** @param entry Newer than all others. */
  push(entry: LogEntry): void {
    const chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.length === maxChunkEntries) this.#chunks.push([entry]);
    else chunk.push(entry);
    this.#length++;
  }

  /**
   * Retention removes from the beginning, nearly always, which needs no search. A superseded value may be anywhere.
   * Does nothing when no entry has the offset.
   */
  delete(offset: number): void {
    const oldest = this.#chunks[0];
    if (oldest?.[0]?.offset === offset) {
      this.#length--;
      if (oldest.length === 1) this.#chunks.shift();
      else oldest.shift();
      return;
    }
    const at = this.#chunkAfter(offset - 1);
    const chunk = this.#chunks[at];
    const index = chunk === undefined ? 0 : firstAfter(chunk, offset - 1);
    if (chunk?.[index]?.offset !== offset) return;
    this.#length--;
    if (chunk.length === 1) this.#chunks.splice(at, 1);
    else chunk.splice(index, 1);
  }

  /** A cursor that stands on the first entry after an offset. */
  after(offset: number): EntryCursor {
    const at = this.#chunkAfter(offset);
    const chunk = this.#chunks[at];
    return new EntryCursor(this.#chunks, at, chunk === undefined ? 0 : firstAfter(chunk, offset));
  }

  /** How many entries are after `after`, and not after `upTo`. */
  count(after: number, upTo: number): number {
    return Math.max(0, this.#rank(upTo) - this.#rank(after));
  }

  *[Symbol.iterator](): Generator<LogEntry> {
    for (const chunk of this.#chunks) yield* chunk;
  }

  /** The newest entries first, for as long as `visit` returns true. */
  visitBackwards(visit: (entry: LogEntry) => boolean): void {
    for (let at = this.#chunks.length - 1; at >= 0; at--) {
      const chunk = this.#chunks[at] as LogEntry[];
      for (let index = chunk.length - 1; index >= 0; index--) if (!visit(chunk[index] as LogEntry)) return;
    }
  }

  /** A list of the same entries. */
  copy(): EntryList {
    const copy = new EntryList();
    for (const chunk of this.#chunks) copy.#chunks.push([...chunk]);
    copy.#length = this.#length;
    return copy;
  }

  /** How many entries are not after an offset. */
  /** Steps over chunks by their lengths, 512 entries at a time. Supersession and retention leave chunks of any length. */
  #rank(offset: number): number {
    const at = this.#chunkAfter(offset);
    let rank = 0;
    for (let index = 0; index < at; index++) rank += (this.#chunks[index] as LogEntry[]).length;
    const chunk = this.#chunks[at];
    return chunk === undefined ? rank : rank + firstAfter(chunk, offset);
  }

  /** The index of the first chunk with an entry after an offset. */
  #chunkAfter(offset: number): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (((this.#chunks[middle] as LogEntry[]).at(-1) as LogEntry).offset > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** A place in an {@link EntryList}, valid until the list changes. */
export class EntryCursor {
  /** The entry at which it stands, `undefined` after the last. */
  current: LogEntry | undefined;
  readonly #chunks: readonly (readonly LogEntry[])[];
  #at: number;
  #index: number;
  #end = Number.POSITIVE_INFINITY;

  constructor(chunks: readonly (readonly LogEntry[])[], at: number, index: number) {
    this.#chunks = chunks;
    this.#at = at;
    this.#index = index;
    this.current = chunks[at]?.[index];
  }

  /** Leaves out the entries after an offset. */
  upTo(offset: number): this {
    this.#end = offset;
    if (this.current !== undefined && this.current.offset > offset) this.current = undefined;
    return this;
  }

  /** Only while `current` is defined. */
  advance(): void {
    const chunk = this.#chunks[this.#at] as readonly LogEntry[];
    if (++this.#index === chunk.length) {
      this.#at++;
      this.#index = 0;
    }
    // Chunks are never empty, so the next one has an entry at its beginning.
    const next = this.#chunks[this.#at]?.[this.#index];
    this.current = next !== undefined && next.offset > this.#end ? undefined : next;
  }
}

function firstAfter(entries: readonly LogEntry[], offset: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as LogEntry).offset > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
