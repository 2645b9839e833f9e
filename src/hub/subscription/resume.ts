import type { Head, Position } from "../../log/log.ts";
import type { ResetReason } from "../../wire/control.ts";

/** How a subscription begins. */
export type Resumption =
  | { readonly kind: "live" }
  | { readonly kind: "replay"; readonly after: number }
  | { readonly kind: "gap"; readonly from: number; readonly to: number }
  | { readonly kind: "reset"; readonly reason: ResetReason };

/** The log as its primary knows it. */
export interface ResumeHead extends Pick<Head, "epoch" | "top"> {
  /** The highest offset trimmed of the channels in question. */
  readonly trimmed: number;
}

/**
 * The resume decision. Pure: what the client says, what the primary says, and nothing else.
 *
 * @param cursor `null` for a client without one, `"unreadable"` for one with a text that is none.
 * @param witness Witness of the entry at the cursor's offset, `undefined` when the entry is gone.
 */
export function decideResume(
  cursor: Position | null | "unreadable",
  head: ResumeHead,
  witness: number | undefined,
): Resumption {
  if (cursor === null) return { kind: "live" };
  if (cursor === "unreadable") return { kind: "reset", reason: "unknown" };
  if (cursor.epoch !== head.epoch) return { kind: "reset", reason: "epoch" };
  if (cursor.offset > head.top) return { kind: "reset", reason: "ahead" };
  if (witness !== undefined && witness !== cursor.witness) return { kind: "reset", reason: "diverged" };
  if (cursor.offset < head.trimmed) return { kind: "gap", from: cursor.offset + 1, to: head.trimmed };
  return { kind: "replay", after: cursor.offset };
}
