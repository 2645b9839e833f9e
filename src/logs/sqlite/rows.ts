import type { LogEntry } from "../log.ts";

/** The columns of an entry, as {@link entryOf} takes them. */
export const entryColumns = "offset, witness, time, channel, type, data, key, sender";

export interface EntryRow {
  offset: number;
  witness: number;
  time: number;
  channel: string;
  type: string;
  data: string;
  key: string | null;
  sender: string | null;
}

/** Numbers are converted: a database that was brought may be one that gives integers as `bigint`. */
export function entryOf(row: EntryRow): LogEntry {
  return {
    offset: Number(row.offset),
    witness: Number(row.witness),
    time: Number(row.time),
    channel: row.channel,
    type: row.type,
    data: row.data,
    key: row.key ?? undefined,
    sender: row.sender ?? undefined,
  };
}

/** What sorts behind every name with the prefix: the last code point there is stands in no name. */
export function endOfPrefix(prefix: string): string {
  return `${prefix}\u{10ffff}`;
}
