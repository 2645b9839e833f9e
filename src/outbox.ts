import { now } from "./clock.ts";
import { Frame } from "./frame.ts";

/** Something with frames to send at the end of this tick. */
export interface Flushable {
  flush(time: number): void;
}

const waiting: Flushable[] = [];

// The end of a turn of the event loop, so that everything which one poll brings in leaves in one write per connection;
// runtimes without setImmediate (Workers) flush after the current job. Taken at import: a test may replace timers later.
const atEndOfTick: (callback: () => void) => unknown =
  (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate ?? queueMicrotask;

/** Has `sink.flush()` called once at the end of this tick. The caller sees to it that it asks once. */
export function flushAtEndOfTick(sink: Flushable): void {
  if (waiting.push(sink) === 1) atEndOfTick(flushAll);
}

function flushAll(): void {
  const time = now();
  // A flush may add others behind the end: they belong to the same tick.
  for (let index = 0; index < waiting.length; index++) waiting[index]?.flush(time);
  waiting.length = 0;
  Frame.forgetJoined();
}
