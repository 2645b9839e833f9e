// The resume decision: how a stream continues from the position that its client has. Pure, and property-tested.
import type { Head, LocateAnswer, Position } from "../../log/log.ts";
import type { GapReason, ResetReason } from "../../wire/control.ts";
import { floorPosition, headPosition } from "../../wire/cursor.ts";

/**
 * Decides how a stream continues. The cases are checked in this order because each gives the next its meaning: offsets
 * compare only within an epoch, and witnesses only at an offset that the log has. If a position can be neither
 * confirmed nor refuted, too much is declared rather than too little.
 *
 * @param cursor The client's position, `"unreadable"` for an id that is not a valid cursor, `null` without one.
 * @param located The log as its primary knows it, and its answer about the cursor and the client's channels.
 */
export function decideResume(
  cursor: Position | "unreadable" | null,
  { head, answer }: { readonly head: Head; readonly answer: Pick<LocateAnswer, "verification" | "trimmed"> },
  { conflates, known }: Reader,
): Resumption {
  if (cursor === null) return { kind: "live" };
  if (cursor === "unreadable") return { kind: "reset", reason: "unknown" };
  const { epoch, floor } = head;
  if (cursor.epoch !== epoch) return { kind: "reset", reason: "epoch" };
  if (cursor.offset > head.top) return { kind: "reset", reason: "ahead" };
  if (answer.verification === "other") return { kind: "reset", reason: "diverged" };
  // The first retained entry vouches for the position before it: the client can return from there, and be verified.
  const oldest = floorPosition(head);
  if (answer.verification === "unknown") {
    // The log may have been rewritten from its very beginning: then the client has nothing that is in it.
    const position = cursor.offset < floor.offset ? oldest : headPosition(head);
    return { kind: "gap", reason: "unverified", from: 1, to: position.offset, position };
  }
  const offset = known ?? cursor.offset;
  if (offset >= answer.trimmed) return { kind: "replay", position: cursor };
  const to = lastTrimmed(head, answer.trimmed, conflates);
  return { kind: "gap", reason: "trimmed", from: offset + 1, to, position: oldest };
}

/**
 * The last offset at which something is missing for a reader from whose channels entries up to `trimmed` were trimmed.
 * Superseded entries do not count among those, although a reader that does not conflate lacks them, too.
 */
export function lastTrimmed({ floor }: Head, trimmed: number, conflates: boolean): number {
  return conflates ? trimmed : floor.offset;
}

/** The part of the decision that does not depend on the log. */
export interface Reader {
  /** Superseded entries are not for the client. */
  readonly conflates: boolean;
  /**
   * The offset up to which the client has everything, if that is lower than the cursor's: a cursor that only proves which
   * log this is may be newer than the last entry that was sent.
   */
  readonly known?: number;
}

/** How a subscription continues. */
export type Resumption =
  | { readonly kind: "live" }
  | { readonly kind: "replay"; readonly position: Position }
  | ({ readonly kind: "gap" } & DeclaredGap)
  | { readonly kind: "reset"; readonly reason: ResetReason };

/** Entries that a client does not get, and where its stream continues. */
export interface DeclaredGap {
  readonly reason: GapReason;
  /** Offsets of the first and the last entry that may be missing. */
  readonly from: number;
  readonly to: number;
  /** The stream continues after this position, which can be verified later: its witness is known. */
  readonly position: Position;
}
