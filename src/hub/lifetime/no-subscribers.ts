// Stops a producer when its channel has had no subscriptions for a while.
import { now } from "../../base/clock.ts";
import { type Duration, milliseconds } from "../../base/units.ts";

/** Counts the subscriptions of a channel in this process, those of a prefix of its name among them. */
export interface SubscriberCount {
  count(channel: string): number;
}

/** Most time between two counts, in milliseconds. */
const maxCheckIntervalMs = 1_000;

/**
 * A signal that is aborted when a channel has had no subscriptions for a time; never, without a time.
 *
 * The count is sampled, four times in that time and at least once a second: an exact moment has no use here, and so
 * subscriptions need not notify the channels that they cover, of which a prefix has no end. The abort may come one step
 * early, since an absence is counted from the last sample that saw a subscription.
 *
 * @returns `release` stops the counting. It must be called, because the interval keeps the process alive.
 */
export function abortWhenUnsubscribed(
  followed: SubscriberCount,
  channel: string,
  after: Duration | undefined,
): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  if (after === undefined) return { signal: controller.signal, release() {} };
  const patience = milliseconds(after, "stopWithoutSubscribers");
  const step = Math.max(1, Math.min(maxCheckIntervalMs, patience / 4));
  let lastFollowed = now();
  const timer = setInterval(() => {
    const time = now();
    if (followed.count(channel) > 0) lastFollowed = time;
    else if (time - lastFollowed >= patience) controller.abort("unsubscribed");
  }, step);
  return { signal: controller.signal, release: () => clearInterval(timer) };
}
