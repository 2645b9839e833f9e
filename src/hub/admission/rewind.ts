// Where the last events of a subscription begin, for a client without a position (`rewind`).
import type { ChannelSelection, LogEntry, Position } from "../../log/log.ts";
import { clientPage } from "../../log/page-size.ts";
import type { Feed } from "../feed/feed.ts";
import type { LogDeadline } from "../log-deadline.ts";

/** How far back the first look goes, in entries of the log, for each event that is wanted. */
const firstSpanPerEvent = 16;
/** Each further read goes back this many times as far, so that all of them together cost little more than the last. */
const spanFactor = 8;

/**
 * The position before the last `count` selected entries; `null` if there are none.
 *
 * @param conflates False for a subscription with a filter or a sender: a superseded entry counts for it, since it may not
 * receive the entry that supersedes it.
 */
export async function findRewindStart(
  { feed, deadline }: RewindContext,
  count: number,
  selection: ChannelSelection,
  conflates: boolean,
): Promise<Position | null> {
  const last = conflates
    ? await deadline.limit(feed.log.last(count, selection), "log.last()")
    : await lastOfAll(feed, deadline, count, selection);
  const [first] = last;
  // `last()` does not name an epoch, so the ring's is assumed. The log may be replaced before the next question, which
  // then finds that this position is not its own.
  return first === undefined
    ? null
    : { epoch: feed.ring.epoch, offset: first.offset - 1, witness: first.previousWitness };
}

/**
 * The last entries, superseded ones included. `log.last()` leaves those out, so this reads back from the head.
 *
 * A log reads forward only, and the number of entries of other channels in between is unknown. So each attempt begins
 * further back and reads up to the same head. In a busy log with a quiet channel, the last attempt reads everything
 * that is retained, one page at a time, and keeps at most `count` entries.
 *
 * @returns Fewer than `count` where the log retains fewer.
 */
async function lastOfAll(
  feed: Feed,
  deadline: LogDeadline,
  count: number,
  selection: ChannelSelection,
): Promise<LogEntry[]> {
  const { top, floor } = await deadline.limit(feed.log.head(), "log.head()");
  for (let span = count * firstSpanPerEvent; ; span *= spanFactor) {
    const begin = Math.max(floor.offset, top - span);
    let last: LogEntry[] = [];
    for (let after = begin; after < top; ) {
      const options = { ...clientPage, selection, conflate: false };
      const { entries, through } = await deadline.limit(feed.log.read(after, options), "log.read()");
      last = [...last, ...entries].slice(-count);
      // A log that was replaced by a shorter one gets nowhere.
      if (through <= after) break;
      after = through;
    }
    if (last.length === count || begin === floor.offset) return last;
  }
}

/** The parts of the hub that are asked. */
export interface RewindContext {
  readonly feed: Feed;
  readonly deadline: LogDeadline;
}
