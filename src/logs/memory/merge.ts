// Reads several lists of entries as one, in the order of the offsets.
import type { LogEntry } from "../../log/log.ts";
import type { EntryCursor } from "./entry-list.ts";

/** A heap of cursors: the one that stands on the oldest entry is on top. */
export class MergedEntries {
  readonly #heap: EntryCursor[];

  constructor(cursors: readonly EntryCursor[]) {
    this.#heap = cursors.filter(({ current }) => current !== undefined);
    // From the last parent up, which takes linear time. 1,024 channels are merged at most.
    for (let at = (this.#heap.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** The oldest entry that has not been taken, `undefined` after the last. */
  get next(): LogEntry | undefined {
    return this.#heap[0]?.current;
  }

  /** Takes the oldest entry. */
  advance(): void {
    const [oldest] = this.#heap;
    if (oldest === undefined) return;
    oldest.advance();
    if (oldest.current === undefined) {
      // A list at its end leaves the heap, so `next` is undefined only when all of them are read.
      const last = this.#heap.pop() as EntryCursor;
      if (this.#heap.length > 0) this.#heap[0] = last;
    }
    this.#sink(0);
  }

  /** Restores the heap where only the cursor at `from` may stand on a newer entry than its children. */
  #sink(from: number): void {
    const heap = this.#heap;
    for (let at = from; ; ) {
      const left = 2 * at + 1;
      if (left >= heap.length) return;
      const child = left + 1 < heap.length && offsetOf(heap[left + 1]) < offsetOf(heap[left]) ? left + 1 : left;
      if (offsetOf(heap[at]) <= offsetOf(heap[child])) return;
      [heap[at], heap[child]] = [heap[child] as EntryCursor, heap[at] as EntryCursor];
      at = child;
    }
  }
}

/** Offsets are unique in a log, and no two lists share an entry, so ties cannot occur. */
function offsetOf(cursor: EntryCursor | undefined): number {
  return cursor?.current?.offset ?? Number.POSITIVE_INFINITY;
}
