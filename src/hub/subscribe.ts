// The way of an admitted request into a subscription.
import type { Admitted } from "./admission/admission.ts";
import type { Sweep } from "./lifetime/sweep.ts";
import type { HubPresence } from "./presence.ts";
import { openSubscription } from "./subscription/opening.ts";
import type { SubscriptionContext } from "./subscription/subscription.ts";
import { Subscription } from "./subscription/subscription.ts";

/**
 * Makes the subscription of a request that has got its stream, and opens it in this tick. The slot of the request and the
 * presence of its member belong to the subscription from here on: both end with it.
 */
export function subscribe(admitted: Admitted, context: SubscriptionContext, sweep: Sweep, presence: HubPresence): void {
  const subscription = new Subscription(admitted, context);
  const { options, channels, forbidden } = admitted.asked;
  if (options.member !== undefined) subscription.leavePresence = presence.enter(options.member, channels);
  sweep.watch(subscription);
  openSubscription(subscription, admitted.origin, forbidden);
}
