import { now } from "../base/clock.ts";
import { isWorkers } from "../base/runtime.ts";
import { Frame } from "../wire/frame.ts";

/** Something with frames to send at the end of this tick. */
export interface Flushable {
  flush(time: number): void;
  /** Looks at what `flush` is going to look at, changes nothing, and gives a number, so that no compiler leaves it out. */
  prefetch(): number;
}

/**
 * Between two system calls a processor cannot fetch ahead, and of ten thousand connections most have left its caches. So
 * many are looked at together before they are flushed: what they need comes from memory at the same time.
 */
const prefetchBatch = 32;

const pendingSinks: Flushable[] = [];

// The end of a turn of the event loop, so that everything which one poll brings in leaves in one write per connection.
// Workers flush after the current job: what is to come later might go with its request, and all others would wait for it.
// Taken at import: a test may replace timers later.
const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
const atEndOfTick: (callback: () => void) => unknown = isWorkers ? queueMicrotask : (setImmediate ?? queueMicrotask);

/** Has `sink.flush()` called once at the end of this tick. The caller sees to it that it asks once. */
export function flushAtEndOfTick(sink: Flushable): void {
  if (pendingSinks.push(sink) === 1) atEndOfTick(flushAll);
}

function flushAll(): void {
  const time = now();
  // A flush may add others behind the end: they belong to the same tick.
  for (let index = 0; index < pendingSinks.length; index++) {
    if (index % prefetchBatch === 0) prefetch(index);
    pendingSinks[index]?.flush(time);
  }
  pendingSinks.length = 0;
  Frame.forgetJoined();
}

// biome-ignore lint/correctness/noUnusedVariables: a compiler leaves out what is looked at for nothing
let prefetchSink = 0;

function prefetch(start: number): void {
  const end = Math.min(start + prefetchBatch, pendingSinks.length);
  for (let index = start; index < end; index++) prefetchSink ^= pendingSinks[index]?.prefetch() ?? 0;
}
