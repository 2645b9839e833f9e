// Drain: hands the clients of this process over to another one.
import { now, WakeTimer } from "../../base/clock.ts";
import { encodeLater } from "../../wire/control.ts";
import { Frame } from "../../wire/frame.ts";
import type { Subscription } from "../subscription/subscription.ts";

/**
 * Ends the streams at random moments of a window, each with its own reconnection time, so that the clients do not arrive
 * elsewhere all at once. Resolves when all have ended.
 */
export async function drainAll(
  subscriptions: Iterable<Subscription>,
  window: number,
  drawRetry: () => number,
): Promise<void> {
  const ends = Array.from(subscriptions, async (subscription) => {
    await closedOrAfter(subscription, Math.random() * window);
    subscription.sendControl(Frame.of(encodeLater("draining", drawRetry())));
    await subscription.stream.close("drained");
  });
  await Promise.all(ends);
}

/** Resolves after a time, or earlier if the stream closes. */
function closedOrAfter({ stream }: Subscription, time: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = new WakeTimer(() => resolve(), true);
    timer.set(now() + time);
    stream.observe({
      onClose() {
        timer.stop();
        resolve();
      },
    });
  });
}
