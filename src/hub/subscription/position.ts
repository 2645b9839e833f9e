// The present, as a position in the log.
import type { Head, Position } from "../../log/log.ts";

/**
 * The present: the primary's head, or the position of the newest entry that the tail has delivered, if that is lower. An
 * entry that is published between the two is not missed, the end of a channel among them.
 */
export function presentPosition({ epoch, top, witness, floor }: Head, delivered: Position): Position {
  // Below the floor there is nothing to start from: the tail is far behind, and will get there.
  const isLower = delivered.epoch === epoch && delivered.offset < top && delivered.offset >= floor.offset;
  return isLower ? delivered : { epoch, offset: top, witness };
}
