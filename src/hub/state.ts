import { stateFrameOfEntry } from "./ring.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Sends the present values of channels that keep them: the newest entry of each key up to `position`. Without ids: they are
 * where the channels stand, and a client that loses the connection in between gets all of them again.
 */
export async function sendState(subscription: Subscription, position: number): Promise<void> {
  const entries = await subscription.context.feed.log.latest(subscription.selection);
  for (const entry of entries) {
    if (entry.offset > position) continue;
    await subscription.permissions.ask(entry.channel);
    if (subscription.closed) return;
    if (subscription.isFor(entry)) subscription.tell(stateFrameOfEntry(entry));
  }
}

/** Tells a newcomer which of its channels have ended already. */
export async function sendEnds(subscription: Subscription): Promise<void> {
  for (const channel of subscription.selection.channels) {
    const [last] = await subscription.context.feed.log.last(1, { channels: [channel], prefixes: [] });
    if (last?.type === "sse:end" && !subscription.closed) subscription.endOf(last);
  }
}
