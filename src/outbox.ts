import { now } from "./clock.ts";
import { Frame } from "./frame.ts";
import { isWorkers } from "./runtime.ts";

/** Something with frames to send at the end of this tick. */
export interface Flushable {
  flush(time: number): void;
  /** Looks at what `flush` is going to look at, changes nothing, and gives a number, so that no compiler leaves it out. */
  touch(): number;
}

/**
 * Between two system calls a processor cannot fetch ahead, and of ten thousand connections most have left its caches. So
 * many are looked at together before they are flushed: what they need comes from memory at the same time.
 */
const together = 32;

const waiting: Flushable[] = [];

// The end of a turn of the event loop, so that everything which one poll brings in leaves in one write per connection.
// Workers flush after the current job: what is to come later might go with its request, and all others would wait for it.
// Taken at import: a test may replace timers later.
const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
const atEndOfTick: (callback: () => void) => unknown = isWorkers ? queueMicrotask : (setImmediate ?? queueMicrotask);

/** Has `sink.flush()` called once at the end of this tick. The caller sees to it that it asks once. */
export function flushAtEndOfTick(sink: Flushable): void {
  if (waiting.push(sink) === 1) atEndOfTick(flushAll);
}

function flushAll(): void {
  const time = now();
  // A flush may add others behind the end: they belong to the same tick.
  for (let index = 0; index < waiting.length; index++) {
    if (index % together === 0) touchFrom(index);
    waiting[index]?.flush(time);
  }
  waiting.length = 0;
  Frame.forgetJoined();
}

// biome-ignore lint/correctness/noUnusedVariables: a compiler leaves out what is looked at for nothing
let touched = 0;

function touchFrom(start: number): void {
  const end = Math.min(start + together, waiting.length);
  for (let index = start; index < end; index++) touched ^= waiting[index]?.touch() ?? 0;
}
