// Drain: hands the clients of this process over to another one.
import { now, WakeTimer } from "../../base/clock.ts";
import { laterFrame } from "../subscription/protocol.ts";
import type { Subscription } from "../subscription/subscription.ts";

/**
 * Ends the streams at random moments of a window, each with its own reconnection time, so that the clients do not arrive
 * elsewhere all at once. Resolves when all have ended.
 *
 * The caller must have closed the admission first: the streams are those of the moment of the call, and one that opened
 * later would never be drained.
 *
 * @param window The length of the window, in milliseconds.
 * @param drawRetry Draws a reconnection time in milliseconds, another one for each stream.
 */
export async function drainAll(
  subscriptions: Iterable<Subscription>,
  window: number,
  drawRetry: () => number,
): Promise<void> {
  const ends = Array.from(subscriptions, async (subscription) => {
    // A client that leaves early must not keep the drain, and with it the exit of the process, waiting for its moment.
    await closedOrAfter(subscription, Math.random() * window);
    // An event and not `retry` alone, if possible: some clients honor a reconnection time only with an event.
    subscription.sendControl(laterFrame(subscription.protocol, "draining", drawRetry()));
    await subscription.stream.close("drained");
  });
  await Promise.all(ends);
}

/** Resolves after a time, or earlier if the stream closes. */
function closedOrAfter({ stream }: Subscription, time: number): Promise<void> {
  return new Promise((resolve) => {
    // The timer keeps the process alive: an exit in the middle of a drain would cut off the clients that are still
    // connected.
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
