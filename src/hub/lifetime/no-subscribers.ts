// Stops a producer when its channel has had no subscriptions for a while, or when the hub is closed.
import { now } from "../../base/clock.ts";
import { type Duration, milliseconds } from "../../base/units.ts";

/** Counts the subscriptions of a channel in this process, those of a prefix of its name among them. */
export interface SubscriberCount {
  count(channel: string): number;
}

/** Most time between two counts, in milliseconds. */
const maxCheckIntervalMs = 1_000;

/**
 * A signal that is aborted when a channel has had no subscriptions for a time, if one is given, or when the hub is closed. Its
 * reason says which.
 *
 * The count is sampled, four times in that time and at least once a second: an exact moment is of no use here. So
 * subscriptions need not notify the channels that they cover, which for a prefix are without number. The abort may come
 * one step early, since an absence is counted from the last sample that saw a subscription.
 *
 * @param closing Aborted when the hub is closed.
 * @returns `release` stops the counting. It must be called, because the interval keeps the process alive.
 */
export function abortWhenUnwanted(
  followed: SubscriberCount,
  channel: string,
  after: Duration | undefined,
  closing: AbortSignal,
): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const { signal } = controller;
  const onClosing = (): void => controller.abort("closed");
  closing.addEventListener("abort", onClosing);
  let timer: ReturnType<typeof setInterval> | undefined;
  if (after !== undefined) {
    const patience = milliseconds(after, "stopWithoutSubscribers");
    const step = Math.max(1, Math.min(maxCheckIntervalMs, patience / 4));
    let lastFollowed = now();
    timer = setInterval(() => {
      const time = now();
      if (followed.count(channel) > 0) lastFollowed = time;
      else if (time - lastFollowed >= patience) controller.abort("unsubscribed");
    }, step);
  }
  const release = (): void => {
    clearInterval(timer);
    closing.removeEventListener("abort", onClosing);
  };
  return { signal, release };
}
