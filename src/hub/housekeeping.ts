import { now, paceFor, unrefTimeout } from "../clock.ts";
import { controlFrame } from "../control.ts";
import { friend } from "../friend.ts";
import { noticeOnce } from "../notice.ts";
import { isWorkers } from "../runtime.ts";
import type { Audience } from "./feed/audience.ts";
import type { HubSettings } from "./settings.ts";
import type { Counters } from "./stats.ts";
import type { Subscription } from "./subscription/subscription.ts";

/** A timer that is late by so much, in milliseconds, does not come any more. */
const lost = 10_000;

/** What housekeeping needs of its hub. */
export interface HousekeepingContext extends Pick<HubSettings, "limits" | "reauthorize"> {
  readonly audience: Audience<Subscription>;
  readonly counters: Counters;
}

/**
 * What is to be looked at from time to time: who does not read, who has been here long enough, who may still be here. One
 * timer for a hub, and none while nobody is connected.
 */
export class Housekeeping {
  readonly #context: HousekeepingContext;
  readonly #pace: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;

  constructor(context: HousekeepingContext) {
    const { limits, reauthorize } = context;
    this.#context = context;
    this.#pace = paceFor(Math.min(limits.stall, limits.lifetime, reauthorize));
  }

  /** When a connection that begins now is to end: scattered, so that those who came together do not leave together. */
  expiry(): number {
    return now() + this.#context.limits.lifetime * (1 - Math.random() / 10);
  }

  /** Keeps the timer while there are connections. */
  wake(): void {
    const time = now();
    if (this.#timer !== undefined) {
      if (!isWorkers || time <= this.#due + lost) return;
      noticeOnce("workers", sharedByRequests);
    }
    this.#due = time + this.#pace;
    this.#timer = unrefTimeout(() => this.#look(), this.#pace);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    this.#timer = undefined;
    const time = now();
    for (const subscription of this.#context.audience.lagging) this.#checkStalled(subscription, time);
    if (Math.min(this.#context.limits.lifetime, this.#context.reauthorize) !== Number.POSITIVE_INFINITY) {
      for (const subscription of this.#context.audience.all) this.#checkAge(subscription, time);
    }
    if (this.#context.audience.all.size > 0) this.wake();
  }

  #checkStalled(subscription: Subscription, time: number): void {
    if (time - subscription.lastProgress < this.#context.limits.stall || !friend.isFull(subscription.source)) return;
    this.#context.counters.stalled++;
    subscription.source.close("stalled");
  }

  #checkAge(subscription: Subscription, time: number): void {
    if (time >= subscription.expires) subscription.source.close("expired");
    else if (time - subscription.lastAsked >= this.#context.reauthorize) this.#askAgain(subscription, time);
  }

  async #askAgain(subscription: Subscription, time: number): Promise<void> {
    subscription.lastAsked = time;
    const allowed = await subscription.permissions.renew(subscription.options.channels);
    if (allowed === false) endStream(subscription, "revoked");
    // Nobody could say: it does not go on, and may come again.
    if (allowed === null) subscription.source.close("error");
  }
}

const sharedByRequests =
  "a hub is shared by the requests of a worker, and what it does in time ended with one of them. " +
  "Make it in a Durable Object, where all of its requests arrive.";

/** Ends a stream for good, as far as this side can say so: the client is told why, and a reconnect is asked for again. */
export function endStream(subscription: Subscription, reason: string): void {
  if (subscription.closed) return;
  subscription.tell(controlFrame("sse:end", { reason }));
  subscription.source.close(reason);
}
