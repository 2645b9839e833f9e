// Channels that were cleared: the slots that remain of their entries, and the entry that records it.
import type { LogEntry, NewEntry } from "./log.ts";

/** The channel of empty slots. No client can follow it, since names of channels have no control characters. */
export const clearedChannel = "\u0001cleared";

/** The type of the entry that a cleared channel begins with again. */
export const clearType = "sse:clear";

/** The first and the last entry that were cleared. */
export interface ClearedRange {
  /** Offset of the first. */
  readonly from: number;
  /** Offset of the last. */
  readonly to: number;
}

/** The slot that remains of an entry: it has a place in the sequence, vouches for the one before it, and says nothing. */
export function emptySlot({ offset, witness, previousWitness, time }: LogEntry): LogEntry {
  return { offset, witness, previousWitness, time, channel: clearedChannel, type: "sse:cleared", data: "" };
}

/** Whether an entry is an empty slot. */
export function isEmptySlot({ channel }: Pick<LogEntry, "channel">): boolean {
  return channel === clearedChannel;
}

/** The entry to append when a channel was cleared, so that every process and every reader learns of it. */
export function clearEntry(channel: string, { from, to }: ClearedRange): NewEntry {
  return { channel, type: clearType, data: JSON.stringify({ from, to }) };
}

/** Whether an entry is one that {@link clearEntry} has made. */
export function isClearEntry({ type }: Pick<LogEntry, "type">): boolean {
  return type === clearType;
}

/** Reads the data of an entry that {@link clearEntry} has made. */
export function clearedRange({ data }: Pick<LogEntry, "data">): ClearedRange {
  return JSON.parse(data) as ClearedRange;
}
