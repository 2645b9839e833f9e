import type { CompleteLog } from "../../log/complete.ts";
import type { ChannelSelection, LogEntry } from "../../log/log.ts";
import type { Frame } from "../../wire/frame.ts";
import { findEndMarkers } from "../admission/ended-channels.ts";
import { frameOfEntry, stateFrameOfEntry } from "../feed/frame-ring.ts";
import type { Subscription } from "./subscription.ts";

/** How much of the log is asked for at a time. */
const valuePageBytes = 1024 ** 2;

// For a client that does not get the entries behind `after` up to `upTo`. Frames without ids: they are where the channels
// stand and not what comes next, and a client that loses the connection in between gets all of them again.

/** The present values of channels that keep them: the newest entry of each key. */
export async function latestValues(subscription: Subscription, after: number, upTo: number): Promise<Frame[]> {
  const { selection, permissions, context } = subscription;
  const frames: Frame[] = [];
  for (const entry of await valuesBetween(context.feed.log, selection, after, upTo)) {
    if (!(await permissions.check(entry.channel))) subscription.stream.close("error");
    if (subscription.closed) return [];
    if (permissions.cached(entry.channel) === true && subscription.wants(entry)) frames.push(stateFrameOfEntry(entry));
  }
  return frames;
}

/** The newest entry of each key, page after page. */
async function valuesBetween(
  log: CompleteLog,
  selection: ChannelSelection,
  after: number,
  upTo: number,
): Promise<LogEntry[]> {
  const values: LogEntry[] = [];
  for (let position = after; position < upTo; ) {
    const page = await log.latestByKey(selection, { after: position, upTo, maxBytes: valuePageBytes });
    values.push(...page.entries);
    position = page.through;
  }
  return values;
}

/** Which channels have ended. When these are all, the last one has an id: who heard it does not hear it again. */
export async function endMarkers(
  subscription: Subscription,
  epoch: string,
  after: number,
  upTo: number,
): Promise<Frame[]> {
  const ends = await findEndMarkers(subscription.context.feed.log, subscription.selection.channels);
  const unheard = ends.filter(({ offset }) => offset > after && offset <= upTo);
  for (const { channel } of unheard) subscription.markEnded(channel);
  const last = subscription.allEnded ? unheard.at(-1) : undefined;
  // In another log than this position's, to which the tail has not come, the end has another cursor.
  if (last !== undefined && (await subscription.context.feed.log.head()).epoch !== epoch) {
    subscription.stream.close("reset");
  }
  return unheard.map((end) => (end === last ? frameOfEntry(epoch, end) : stateFrameOfEntry(end)));
}

/** Sends frames no faster than the client reads. */
export async function sendPaced(subscription: Subscription, frames: readonly Frame[]): Promise<void> {
  for (const frame of frames) {
    await subscription.stream.ready();
    subscription.sendControl(frame);
  }
}
