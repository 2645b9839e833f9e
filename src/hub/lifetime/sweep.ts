// The periodic checks of a hub: stalled readers, expired connections, permissions.
import { checkInterval, now, unrefTimeout } from "../../base/clock.ts";
import { isWorkers } from "../../base/runtime.ts";
import { warnOnce } from "../../base/warn.ts";
import { encodeControl } from "../../wire/control.ts";
import { Frame } from "../../wire/frame.ts";
import type { PageCache } from "../feed/page-cache.ts";
import type { Subscribers } from "../feed/subscribers.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import type { Counters } from "../stats.ts";
import type { Subscription } from "../subscription/subscription.ts";

/** A timer that is late by so much, in milliseconds, was lost with the request that set it. */
const lostTimerMs = 10_000;

/** The parts of the hub that the checks use. */
export interface SweepContext extends Pick<ResolvedHubOptions, "limits" | "reauthorize"> {
  readonly subscribers: Subscribers<Subscription>;
  readonly pages: PageCache;
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

  /** When a connection that begins now is to end. At random, so that clients that came together do not leave together. */
  expiry(): number {
    return now() + this.#context.limits.maxLifetime * (1 - Math.random() / 10);
  }

  /** Starts the timer, unless it is running. */
  schedule(): void {
    const time = now();
    if (this.#timer !== undefined) {
      if (!isWorkers || time <= this.#due + lostTimerMs) return;
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
    // A live subscription has nothing outstanding: the first entry that does not fit makes it lag.
    for (const subscription of this.#context.subscribers.lagging) this.#checkStalled(subscription, time);
    // All connections are visited only if there is a time to enforce; by default there is none.
    if (Math.min(this.#context.limits.maxLifetime, this.#context.reauthorize) !== Number.POSITIVE_INFINITY) {
      for (const subscription of this.#context.subscribers.all) this.#checkAge(subscription, time);
    }
    if (this.#context.subscribers.all.size > 0) this.schedule();
  }

  /** A slow reader takes bytes from time to time, and keeps its stream however far it lags. One that takes none loses it. */
  #checkStalled(subscription: Subscription, time: number): void {
    if (!subscription.stream.full || subscription.madeProgress(time)) return;
    if (time - subscription.lastProgress < this.#context.limits.stallTimeout) return;
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
    const allowed = await subscription.permissions.reauthorize(subscription.options.channels);
    if (allowed === false) endStream(subscription, "revoked");
    // Without an answer the stream ends, and the client retries.
    if (allowed === null) subscription.stream.close("error");
  }
}

const sharedByRequests =
  "a hub is shared by the requests of a worker, and its timer ended with one of them. " +
  "Make it in a Durable Object, where all of its requests arrive.";

/**
 * Ends a stream and tells the client why. A reconnect is authorized again. The client may have left while the application
 * was asked, so a stream that is closed already is left as it is, with the reason that it was closed for.
 */
export function endStream(subscription: Subscription, reason: "revoked"): void {
  if (subscription.closed) return;
  subscription.sendControl(Frame.of(encodeControl("sse:end", { reason })));
  subscription.stream.close(reason);
}
