import type { ChannelSelection, Log, LogEntry } from "../../log/log.ts";
import type { Cursor } from "../../wire/cursor.ts";

/** The ends of those of the channels that have ended, oldest first. */
export async function findEndMarkers(log: Log, channels: readonly string[]): Promise<LogEntry[]> {
  const ends = await Promise.all(channels.map((channel) => endOf(log, channel)));
  return ends.filter((end) => end !== null).sort((a, b) => a.offset - b.offset);
}

/** True for a client that has heard the end of all its channels. */
export async function hasSeenAllEnds(log: Log, cursor: Cursor | null, selection: ChannelSelection): Promise<boolean> {
  if (cursor === null || selection.prefixes.length > 0) return false;
  const head = await log.head();
  if (head.epoch !== cursor.epoch || head.top < cursor.offset) return false;
  // One after the other: most clients that come back follow something that goes on, and the first look shows it.
  for (const channel of selection.channels) {
    const end = await endOf(log, channel);
    if (end === null || end.offset > cursor.offset) return false;
  }
  // An end in the place of what the client had is not the one that it heard.
  const witness = await log.witness(cursor.offset);
  return witness === undefined || cursor.witness === 0 || witness === cursor.witness;
}

async function endOf(log: Log, channel: string): Promise<LogEntry | null> {
  const [last] = await log.last(1, { channels: [channel], prefixes: [] });
  return last?.type === "sse:end" ? last : null;
}
