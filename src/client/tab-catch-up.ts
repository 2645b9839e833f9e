// Lines that the stream of the leader does not serve, because they have missed events or would miss some: they catch up.
import { parseCursor } from "../wire/cursor.ts";
import type { Lane } from "./lane.ts";
import { isNew } from "./position.ts";
import type { StreamSnapshot } from "./router.ts";

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

/** Of two streams, the one that is further. */
export function laterStream(one: StreamSnapshot | null, other: StreamSnapshot): StreamSnapshot {
  return one === null || isNew(parseCursor(other.cursor), parseCursor(one.cursor)) ? other : one;
}

/** `null` stands for no channels at all, not even those of a line whose address decides. */
function isSubset(channels: ReadonlySet<string>, of: ReadonlySet<string> | null): boolean {
  return of !== null && [...channels].every((channel) => of.has(channel));
}
