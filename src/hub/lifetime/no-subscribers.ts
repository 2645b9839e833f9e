import { type Duration, milliseconds } from "../../base/units.ts";

/** Who follows what, as far as it matters here. */
export interface SubscriberCount {
  count(channel: string): number;
}

/** How often it is looked whether somebody listens, at most. */
const maxCheckIntervalMs = 1_000;

/** A signal that is aborted when nobody has followed a channel for so long; never, without a time. */
export function abortWhenUnsubscribed(
  followed: SubscriberCount,
  channel: string,
  after: Duration | undefined,
): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  if (after === undefined) return { signal: controller.signal, release() {} };
  const patience = milliseconds(after, "stopWithoutSubscribers");
  const step = Math.max(1, Math.min(maxCheckIntervalMs, patience / 4));
  let silent = 0;
  const timer = setInterval(() => {
    silent = followed.count(channel) > 0 ? 0 : silent + step;
    if (silent >= patience) controller.abort("unsubscribed");
  }, step);
  return { signal: controller.signal, release: () => clearInterval(timer) };
}
