// How far a stream was delivered, so that nothing is delivered twice after a reconnect, and nothing is dropped that is new.
import { nextPosition, type Position } from "../wire/cursor.ts";
import type { ParsedEvent } from "../wire/parse.ts";

/**
 * The position of an event. Only an event with an id of its own that is a cursor has one: values have no id, and ids of other
 * servers say nothing about order, so neither is ever dropped.
 */
export function positionOf({ id }: ParsedEvent, before: Position | null): Position | null {
  return id === undefined ? null : nextPosition(id, before);
}

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
