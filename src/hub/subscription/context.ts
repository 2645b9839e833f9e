// The parts of the hub that subscriptions use.
import type { Locator } from "../admission/locator.ts";
import type { Feed } from "../feed/feed.ts";
import type { PageCache } from "../feed/page-cache.ts";
import type { RunCache } from "../feed/run-cache.ts";
import type { Subscriber, Subscribers } from "../feed/subscribers.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import type { Counters } from "../stats.ts";
import type { CatchUp } from "./catch-up.ts";
import type { Checkpoints } from "./checkpoints.ts";

/** The parts of the hub that a subscription uses. */
export interface SubscriptionParts<S extends Subscriber>
  extends Pick<ResolvedHubOptions, "contract" | "limits" | "onError" | "onLoss" | "snapshot"> {
  readonly feed: Feed;
  readonly pages: PageCache;
  readonly runs: RunCache;
  readonly locator: Locator;
  readonly subscribers: Subscribers<S>;
  readonly checkpoints: Checkpoints;
  readonly counters: Counters;
  /** Makes the pump of a subscription. */
  catchUp(subscription: S): CatchUp;
}
