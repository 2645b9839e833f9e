import type { CompleteLog } from "../../log/complete.ts";
import type { ChannelSelection, LogEntry, Position } from "../../log/log.ts";

/** The ends of those of the channels that have ended, oldest first. */
export async function findEndMarkers(log: CompleteLog, channels: readonly string[]): Promise<readonly LogEntry[]> {
  const { answers } = await log.locate([{ cursor: null, selection: { channels, prefixes: [] } }]);
  return answers[0]?.ends ?? [];
}

/** True for a client that has received the end of all its channels. */
export async function hasSeenAllEnds(
  log: CompleteLog,
  cursor: Position | null,
  selection: ChannelSelection,
): Promise<boolean> {
  if (cursor === null || selection.prefixes.length > 0) return false;
  const [answer] = (await log.locate([{ cursor, selection }])).answers;
  // An end in the place of a lost entry is not the one that the client received.
  if (answer === undefined || answer.verification === "other") return false;
  return (
    answer.ends.length === new Set(selection.channels).size &&
    answer.ends.every(({ offset }) => offset <= cursor.offset)
  );
}
