// The part of a hub that presence may use: the log, the tail, and the counters.
import type { LogDeadline } from "./log-deadline.ts";
import type { PresenceContext } from "./presence.ts";
import type { SubscriptionContext } from "./subscription/subscription.ts";

/** The part of the hub that presence uses. */
export function presenceContext({
  feed,
  counters,
  limits,
  deadline,
  onError,
}: Pick<SubscriptionContext, "feed" | "counters" | "limits" | "onError"> & { deadline: LogDeadline }): PresenceContext {
  return {
    log: feed.log,
    maxDataSize: limits.eventSize,
    get head() {
      return feed.ring.head;
    },
    limit: (answer, subject) => deadline.limit(answer, subject),
    start: () => feed.start(),
    observe: (observer) => void feed.observers.add(observer),
    countPublished(events) {
      counters.published += events;
    },
    onError: (error) => onError(error, { stage: "presence" }),
  };
}
