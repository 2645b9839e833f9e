// How a tail continues: the pure decision, given the position that it delivered last and a page of the log.
import type { Head, LogEntry } from "./log.ts";

/** The position of a tail. `witness` is `null` where the tail goes back on purpose, and nothing is to be verified. */
export interface TailPosition {
  /** The epoch of the entry that was delivered last. */
  readonly epoch: string;
  /** The offset of that entry. */
  readonly offset: number;
  /** The witness of that entry. */
  readonly witness: number | null;
}

/** All entries after an offset, superseded ones too, as far as they fit a page; and the head of the same state. */
export interface TailPage {
  /** The head of the log. */
  readonly head: Head;
  /** Oldest first, without a hole except for entries that were trimmed. */
  readonly entries: readonly LogEntry[];
}

/**
 * - `deliver`: the page continues the position, as far as can be known.
 * - `missing`: retained entries are missing from the page.
 * - `goBack`: the log no longer holds what the tail delivered last; it continues after `to`.
 */
export type TailStep =
  | { readonly kind: "deliver" | "missing" }
  | { readonly kind: "goBack"; readonly to: TailPosition };

/**
 * Decides how a tail continues.
 *
 * @param page A page after `position.offset`, from the primary.
 */
export function followTail(position: TailPosition, { head, entries }: TailPage): TailStep {
  const { epoch, top, floor } = head;
  if (position.epoch !== epoch) return { kind: "goBack", to: { epoch, ...floor } };
  const { offset, witness } = position;
  // The newest entry is delivered again, so that no later one looks like a continuation.
  if (offset > top) return goBack(position, Math.max(top - 1, floor.offset));
  const [first] = entries;
  const isHole = offset < top && first?.offset !== offset + 1;
  if (isHole) return { kind: floor.offset > offset ? "deliver" : "missing" };
  const present = first === undefined ? head.witness : first.previousWitness;
  if (witness === null || witness === present) return { kind: "deliver" };
  // Another entry is at the offset. Where it was trimmed, the next one's `previousWitness` shows the break.
  return offset > floor.offset ? goBack(position, offset - 1) : { kind: "deliver" };
}

function goBack({ epoch }: TailPosition, offset: number): TailStep {
  return { kind: "goBack", to: { epoch, offset, witness: null } };
}
