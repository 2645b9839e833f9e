import { encodeEvent } from "../encode.ts";
import { Frame } from "../frame.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Ends the streams at random moments of a window, each with a reconnection time of its own, so that the clients do not
 * arrive elsewhere all at once. Resolves when all have ended.
 */
export async function drainAll(
  subscriptions: Iterable<Subscription>,
  window: number,
  drawRetry: () => number,
): Promise<void> {
  const leaving = Array.from(subscriptions, (subscription) => ({ subscription, delay: Math.random() * window }));
  leaving.sort((a, b) => a.delay - b.delay);
  const ends: Promise<void>[] = [];
  let elapsed = 0;
  for (const { subscription, delay } of leaving) {
    // Waits shorter than a timer can keep are taken together with the next.
    if (delay - elapsed >= 1) {
      await new Promise((resolve) => setTimeout(resolve, delay - elapsed));
      elapsed = delay;
    }
    if (subscription.closed) continue;
    subscription.tell(Frame.of(encodeEvent({ retry: drawRetry() })));
    ends.push(subscription.source.close("drained"));
  }
  await Promise.all(ends);
}
