// Lines that the stream of the leader does not serve, because they have missed events or would miss some: they catch up.
import type { Position } from "../wire/cursor.ts";
import type { Lane } from "./lane.ts";
import type { StreamRequest, StreamSnapshot } from "./stream-request.ts";
import type { LeaderNews } from "./tab-messages.ts";
import type { TabParts } from "./tab-parts.ts";

/** A leader begins, or this tab begins to follow it: detaches the lines that have missed events. */
export function detachMissing(
  lane: Lane,
  news: Extract<LeaderNews, { kind: "lead" | "welcome" }>,
  { isNew, parseCursor }: TabParts,
): void {
  const before = lane.router.cursor;
  const begins = (at: Position | null): boolean => before !== "" && isNew(at, parseCursor(before));
  if (news.kind === "lead") {
    if (begins(parseCursor(news.cursor))) detachLines(lane, null);
    return;
  }
  const { cursor, origin, hasLost, held } = news.snapshot;
  const hasMissed = hasLost || begins(parseCursor(cursor)) || (origin !== null && begins(origin));
  detachLines(lane, hasMissed ? null : held);
}

/** A stream of the leader opens. One that does not know the channels of this tab begins as a new client, or past its position. */
export function detachUnresumed(lane: Lane, request: StreamRequest, { isNew, parseCursor }: TabParts): void {
  const { cursor } = lane.router;
  const isResumed = cursor === request.cursor || !isNew(parseCursor(request.cursor), parseCursor(cursor));
  detachLines(lane, isResumed ? request.held : null);
}

/**
 * Lines whose channels the stream does not resume continue on connections of their own, after the position of this tab, until
 * they have caught up with it. A line that has received nothing that it could continue after begins again.
 *
 * @param held The channels that the stream resumes, `null` if it resumes none.
 */
export function detachLines(lane: Lane, held: ReadonlySet<string> | null): void {
  const { router } = lane;
  const { cursor } = router;
  for (const line of [...router.routes]) {
    const isComplete = router.isComplete(line);
    if (isComplete && isSubset(line.channels, held)) continue;
    if (isComplete && cursor !== "") lane.detach(line, cursor, true);
    else line.carried = false;
  }
}

/** Of several streams, the one that is furthest. */
export function latestStream(
  streams: readonly StreamSnapshot[],
  { isNew, parseCursor }: TabParts,
): StreamSnapshot | undefined {
  let [latest] = streams;
  for (const stream of streams)
    if (latest && isNew(parseCursor(stream.cursor), parseCursor(latest.cursor))) latest = stream;
  return latest;
}

/** `null` stands for no channels at all, not even those of a line whose address decides. */
function isSubset(channels: ReadonlySet<string>, of: ReadonlySet<string> | null): boolean {
  return of !== null && [...channels].every((channel) => of.has(channel));
}
