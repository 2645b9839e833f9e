// How far a stream was delivered, so that nothing is delivered twice after a reconnect, and nothing is dropped that is new.
import type { Position } from "../wire/cursor.ts";

/**
 * Whether a position has not been delivered. A cursor of another epoch is one of another log, whose offsets cannot be compared
 * with those before: it is new.
 */
export function isNew(position: Position | null, delivered: Position | null): boolean {
  if (position === null || delivered === null) return true;
  return position.epoch !== delivered.epoch || position.offset > delivered.offset;
}

/** The later of two positions: a stream that repeats events does not move back. */
export function advance(delivered: Position | null, position: Position | null): Position | null {
  return position !== null && isNew(position, delivered) ? position : delivered;
}
