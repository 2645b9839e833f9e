// The items that a reader yields, one after the other: entries of the log, and losses in their place.
import { clearedRange } from "../../log/cleared.ts";
import type { LogEntry, Position } from "../../log/log.ts";
import type { Gap, Reset } from "../../wire/control.ts";
import type { Counters } from "../stats.ts";

/** An entry, or a loss with the position after it. */
export type ReadItem = EntryItem | LossItem;

/** An entry, with the epoch that its offset belongs to. */
export interface EntryItem {
  readonly entry: LogEntry;
  readonly epoch: string;
}

/** A declared loss. */
export type LossItem =
  | { readonly kind: "gap"; readonly loss: Gap; readonly position: Position }
  | { readonly kind: "reset"; readonly loss: Reset; readonly position: Position };

/**
 * The loss that the entry of a cleared channel stands for. It is not known exactly which of the entries had been read
 * when they were erased, because a page of the log may have been read before or after. So too much is declared rather
 * than too little. The entry of an earlier clearing is erased by the next one, so the range of this one says nothing of where
 * the loss begins.
 *
 * @param owedAfter The reader was to get every entry after this offset.
 * @returns `null` if it has got all that was cleared, or was not to get it.
 */
export function lossOfCleared(
  { entry, epoch }: EntryItem,
  owedAfter: number,
  counters: Pick<Counters, "countGap">,
): LossItem | null {
  const { to } = clearedRange(entry);
  const from = owedAfter + 1;
  if (from > to) return null;
  counters.countGap("cleared");
  const position = { epoch, offset: entry.offset, witness: entry.witness };
  return { kind: "gap", loss: { missed: to - from + 1, from, to, reason: "cleared", exact: false }, position };
}
