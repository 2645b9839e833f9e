// One write per tick: what is sent to a connection in the course of a tick leaves together at its end.
import { now } from "../base/clock.ts";
import { isEdgeRuntime, isWorkers } from "../base/runtime.ts";
import { Frame } from "../wire/frame.ts";

/** Something with frames to send at the end of this tick. */
export interface Flushable {
  flush(time: number): void;
}

const pending: Flushable[] = [];
let tick = 0;
let isFlushing = false;

/** The number of this tick. The next one begins when everything has been flushed. */
export function currentTick(): number {
  return tick;
}

/** True while the connections of this tick are flushed: what was sent until then is complete. */
export function isEndOfTick(): boolean {
  return isFlushing;
}

/** Calls `flushable.flush()` once at the end of this tick. The caller makes sure to ask once. */
export function flushAtEndOfTick(flushable: Flushable): void {
  if (pending.push(flushable) === 1) atEndOfTick(flushAll);
}

/**
 * Makes sure that everything which is sent in this turn of the event loop leaves in it, also by callbacks that are due at its
 * end: a caller that has just asked for such a callback calls this next. Otherwise what the callback sends would leave in the
 * next turn, and a turn costs as much as a write.
 */
export function expectFlush(): void {
  flushAtEndOfTick(nothing);
}

const nothing: Flushable = { flush() {} };

function flushAll(): void {
  const time = now();
  isFlushing = true;
  // A flush may append others. They belong to the same tick.
  for (let index = 0; index < pending.length; index++) pending[index]?.flush(time);
  pending.length = 0;
  isFlushing = false;
  tick++;
  // Connections share the frames that they joined from the same parts. After the tick, none of them joins these again.
  Frame.forgetTick();
}

/** A tick is a turn of the event loop, so that everything which one poll brings in leaves in one write per connection. */
function atEndOfTick(callback: () => void): void {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
  // Workers flush after the current job: a later one may be cancelled with its request, and all others would wait for it.
  if (isWorkers || isEdgeRuntime || setImmediate === undefined) queueMicrotask(callback);
  else setImmediate(callback);
}
