import type { Head } from "../../log/log.ts";
import type { ResetReason } from "../../wire/control.ts";
import type { Cursor } from "../../wire/cursor.ts";

/** How a subscription begins. */
export type Resumption =
  | { readonly kind: "live" }
  | { readonly kind: "replay"; readonly after: number }
  | { readonly kind: "gap"; readonly from: number; readonly to: number }
  | { readonly kind: "reset"; readonly reason: ResetReason };

/**
 * The resume decision. Pure: what the client says, what the primary says, and nothing else.
 *
 * @param cursor `null` for a client without one, `"unreadable"` for one with a text that is none.
 * @param head The log as its primary knows it, `trimmed` for the channels in question.
 * @param witness Witness of the entry at the cursor's offset, `undefined` when the entry is gone.
 */
export function decideResume(
  cursor: Cursor | null | "unreadable",
  head: Head,
  witness: number | undefined,
): Resumption {
  if (cursor === null) return { kind: "live" };
  if (cursor === "unreadable") return { kind: "reset", reason: "unknown" };
  if (cursor.epoch !== head.epoch) return { kind: "reset", reason: "epoch" };
  if (cursor.offset > head.top) return { kind: "reset", reason: "ahead" };
  const isKnown = witness !== undefined && cursor.witness !== 0;
  if (isKnown && witness !== cursor.witness) return { kind: "reset", reason: "diverged" };
  if (cursor.offset < head.trimmed) return { kind: "gap", from: cursor.offset + 1, to: head.trimmed };
  return { kind: "replay", after: cursor.offset };
}
