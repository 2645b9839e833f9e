// The errors that every log rejects with, and the one decision of a conditional append.
import { quote, SourcecastError } from "../base/errors.ts";
import { formatCursor } from "../wire/cursor.ts";
import type { NewEntry } from "./log.ts";

/** The state of a log at the moment of an append, as {@link conflictOf} needs it. */
export interface AppendState {
  /** The present epoch. */
  readonly epoch: string;
  /** Offset of the newest entry. */
  readonly top: number;
  /** The witness at an offset, the origin's at 0; `undefined` where it is not known. */
  witnessAt(offset: number): number | undefined;
  /** Offset of the channel's newest entry, retained or not; a higher one where it is not known. */
  lastOf(channel: string): number;
}

/** Why an entry with `after` is not accepted, `undefined` when it is. */
export function conflictOf(entry: NewEntry, state: AppendState): SourcecastError | undefined {
  const { after, channel } = entry;
  if (after === undefined) return undefined;
  const isOurs = after.epoch === state.epoch && after.offset <= state.top;
  if (!isOurs || state.witnessAt(after.offset) !== after.witness) return conflict(entry);
  const last = state.lastOf(channel);
  return last > after.offset ? conflict(entry, last) : undefined;
}

/**
 * The error with which `append` rejects when an entry's `after` does not hold.
 *
 * @param last Offset of the channel's newest entry. Without it, the position is not known to be one of this log.
 */
export function conflict({ channel, after }: NewEntry, last?: number): SourcecastError {
  const position = after === undefined ? "undefined" : quote(formatCursor(after));
  return new SourcecastError(
    "ERR_SSE_CONFLICT",
    last === undefined
      ? `The option after is ${position}, which is not known to be a position of this log; read the channel and try again`
      : `The channel ${quote(channel)} has an entry at offset ${last}, past the expected ${position}; read it and try again`,
  );
}

/** The error with which every method rejects after `close()`. */
export function closedError(): SourcecastError {
  return new SourcecastError("ERR_SSE_CLOSED", "The log was used after close(); make a new one");
}
