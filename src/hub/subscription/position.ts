// The present, as a position in the log.
import type { Head, Position } from "../../log/log.ts";
import { headPosition, isHeadPosition } from "../../wire/cursor.ts";

/**
 * The present: the primary's head, or the position of the newest entry that the tail has delivered, if that is lower. An
 * entry that is published between the two is not missed, the end of a channel among them.
 *
 * @param delivered `null` where the log has lost what the tail had delivered.
 */
export function presentPosition(head: Head, delivered: Position | null): Position {
  // Below the floor there is nothing to start from: the tail is far behind, and will get there.
  if (delivered?.epoch !== head.epoch) return headPosition(head);
  // The usual case. Each idle client keeps its position, so it is one object for all of them.
  if (isHeadPosition(delivered, head)) return delivered;
  const isLower = delivered.offset < head.top && delivered.offset >= head.floor.offset;
  return isLower ? delivered : headPosition(head);
}
