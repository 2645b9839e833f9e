// Flushes the Node sinks of a tick in batches, so that the memory accesses of different connections overlap.
import { prefetchBatch } from "./fan-out.ts";
import { type Flushable, flushAtEndOfTick } from "./flush.ts";

/** A sink that can be prefetched. */
export interface PrefetchableSink extends Flushable {
  /** Reads what `flush` is about to read, and returns a number made of it, so that no compiler drops the reads. */
  prefetch(): number;
}

const pending: PrefetchableSink[] = [];

const batches: Flushable = {
  flush(time) {
    // A flush may append others. They belong to the same tick.
    for (let index = 0; index < pending.length; index++) {
      if (index % prefetchBatch === 0) prefetch(index);
      pending[index]?.flush(time);
    }
    pending.length = 0;
  },
};

/** Does for the sinks of Node what `flushAtEndOfTick` does for any. */
export function flushNodeAtEndOfTick(sink: PrefetchableSink): void {
  if (pending.push(sink) === 1) flushAtEndOfTick(batches);
}

// biome-ignore lint/correctness/noUnusedVariables: a compiler drops reads whose result is not used
let prefetched = 0;

function prefetch(start: number): void {
  const end = Math.min(start + prefetchBatch, pending.length);
  for (let index = start; index < end; index++) prefetched ^= pending[index]?.prefetch() ?? 0;
}
