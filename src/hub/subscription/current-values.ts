import type { Frame } from "../../wire/frame.ts";
import { findEndMarkers } from "../admission/ended-channels.ts";
import { frameOfEntry, stateFrameOfEntry } from "../feed/frame-ring.ts";
import type { Subscription } from "./subscription.ts";

// For a client that does not get the entries behind `after` up to `upTo`. Frames without ids: they are where the channels
// stand and not what comes next, and a client that loses the connection in between gets all of them again.

/** The present values of channels that keep them: the newest entry of each key. */
export async function latestValues(subscription: Subscription, after: number, upTo: number): Promise<Frame[]> {
  const { selection, permissions, context } = subscription;
  const frames: Frame[] = [];
  for (const entry of await context.feed.log.latestByKey(selection)) {
    if (entry.offset <= after || entry.offset > upTo) continue;
    if (!(await permissions.check(entry.channel))) subscription.stream.close("error");
    if (subscription.closed) return [];
    if (permissions.cached(entry.channel) === true && subscription.wants(entry)) frames.push(stateFrameOfEntry(entry));
  }
  return frames;
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
