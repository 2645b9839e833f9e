// The periodic checks of a hub: stalled readers, expired connections, permissions.
import { checkInterval, now, unrefTimeout } from "../../base/clock.ts";
import { isWorkers } from "../../base/runtime.ts";
import { warnOnce } from "../../base/warn.ts";
import type { PageCache } from "../feed/page-cache.ts";
import type { RunCache } from "../feed/run-cache.ts";
import type { Subscribers } from "../feed/subscribers.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import type { Counters } from "../stats.ts";
import type { Subscription } from "../subscription/subscription.ts";
import { revokeChannels } from "./revocation.ts";

/** A timer that is this late, in milliseconds, was lost with the request that set it. */
const lostTimerMs = 10_000;

/** The parts of the hub that the checks use. */
export interface SweepContext extends Pick<ResolvedHubOptions, "limits" | "reauthorize"> {
  readonly subscribers: Subscribers<Subscription>;
  readonly pages: PageCache;
  readonly runs: RunCache;
  readonly counters: Counters;
}

/**
 * Checks all connections from time to time. One timer for a hub, and none while there are no connections: an idle hub does
 * not wake the process. A time limit is enforced one interval late at most: a second, or less if the shortest of the times
 * is below four seconds.
 */
export class Sweep {
  readonly #context: SweepContext;
  readonly #intervalMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;

  constructor(context: SweepContext) {
    const { limits, reauthorize } = context;
    this.#context = context;
    this.#intervalMs = checkInterval(Math.min(limits.stallTimeout, limits.maxLifetime, reauthorize));
  }

  /**
   * Begins to check a subscription. When it ends is random, so that clients that came together do not leave together.
   */
  watch(subscription: Subscription): void {
    const { maxLifetime } = this.#context.limits;
    if (this.#hasTimes) {
      subscription.lastAsked = now();
      subscription.expires = subscription.lastAsked + maxLifetime * (1 - Math.random() / 10);
    }
    this.#schedule();
  }

  /** Starts the timer, unless it is running. */
  #schedule(): void {
    if (this.#timer !== undefined && !isWorkers) return;
    const time = now();
    if (this.#timer !== undefined) {
      if (time <= this.#due + lostTimerMs) return;
      warnOnce("workers", sharedByRequests);
    }
    this.#due = time + this.#intervalMs;
    this.#timer = unrefTimeout(() => this.#sweep(), this.#intervalMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #sweep(): void {
    this.#timer = undefined;
    const time = now();
    this.#context.pages.sweep();
    this.#context.runs.clear();
    // A live subscription has nothing outstanding: the first entry that does not fit makes it lag.
    for (const subscription of this.#context.subscribers.lagging) this.#checkStalled(subscription, time);
    if (this.#hasTimes) {
      for (const subscription of this.#context.subscribers.all) this.#checkAge(subscription, time);
    }
    if (this.#context.subscribers.all.size > 0) this.#schedule();
  }

  /** Whether a time limit applies to every connection. By default, none does. */
  get #hasTimes(): boolean {
    return Math.min(this.#context.limits.maxLifetime, this.#context.reauthorize) !== Number.POSITIVE_INFINITY;
  }

  /** A slow reader takes bytes from time to time, and keeps its stream however far it lags. One that takes none loses it. */
  #checkStalled(subscription: Subscription, time: number): void {
    if (!subscription.stream.full || subscription.progress.wasMade(time)) return;
    if (time - subscription.progress.last < this.#context.limits.stallTimeout) return;
    this.#context.counters.stalled++;
    subscription.stream.close("stalled");
  }

  #checkAge(subscription: Subscription, time: number): void {
    if (time >= subscription.expires) subscription.stream.close("expired");
    else if (time - subscription.lastAsked >= this.#context.reauthorize) this.#reauthorize(subscription, time);
  }

  async #reauthorize(subscription: Subscription, time: number): Promise<void> {
    // Set before the answer: the next sweep must not ask again while the application has not answered.
    subscription.lastAsked = time;
    const { channels, isLabeled, permissions, stream } = subscription;
    const allowed = await permissions.reauthorize(channels, isLabeled);
    // Without an answer the stream ends, and the client retries.
    if (allowed === null) stream.close("error");
    else if (allowed.length < channels.length) revokeChannels(subscription, allowed);
  }
}

const sharedByRequests =
  "a hub is shared by the requests of a worker, and its timer ended with one of them. " +
  "Make it in a Durable Object, where all of its requests arrive.";
