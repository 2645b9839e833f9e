import { checkInterval, now, unrefTimeout } from "../../base/clock.ts";
import { isWorkers } from "../../base/runtime.ts";
import { warnOnce } from "../../base/warn.ts";
import { encodeControl } from "../../wire/control.ts";
import { Frame } from "../../wire/frame.ts";
import type { Subscribers } from "../feed/subscribers.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import type { Counters } from "../stats.ts";
import type { Subscription } from "../subscription/subscription.ts";

/** A timer that is late by so much, in milliseconds, does not come any more. */
const lostTimerMs = 10_000;

/** What housekeeping needs of its hub. */
export interface SweepContext extends Pick<ResolvedHubOptions, "limits" | "reauthorize"> {
  readonly audience: Subscribers<Subscription>;
  readonly counters: Counters;
}

/**
 * What is to be looked at from time to time: who does not read, who has been here long enough, who may still be here. One
 * timer for a hub, and none while nobody is connected.
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

  /** When a connection that begins now is to end: scattered, so that those who came together do not leave together. */
  expiry(): number {
    return now() + this.#context.limits.maxLifetime * (1 - Math.random() / 10);
  }

  /** Keeps the timer while there are connections. */
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
    for (const subscription of this.#context.audience.lagging) this.#checkStalled(subscription, time);
    if (Math.min(this.#context.limits.maxLifetime, this.#context.reauthorize) !== Number.POSITIVE_INFINITY) {
      for (const subscription of this.#context.audience.all) this.#checkAge(subscription, time);
    }
    if (this.#context.audience.all.size > 0) this.schedule();
  }

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
    subscription.lastAsked = time;
    const allowed = await subscription.permissions.reauthorize(subscription.options.channels);
    if (allowed === false) endStream(subscription, "revoked");
    // Nobody could say: it does not go on, and may come again.
    if (allowed === null) subscription.stream.close("error");
  }
}

const sharedByRequests =
  "a hub is shared by the requests of a worker, and what it does in time ended with one of them. " +
  "Make it in a Durable Object, where all of its requests arrive.";

/** Ends a stream for good, as far as this side can say so: the client is told why, and a reconnect is asked for again. */
export function endStream(subscription: Subscription, reason: "revoked"): void {
  if (subscription.closed) return;
  subscription.sendControl(Frame.of(encodeControl("sse:end", { reason })));
  subscription.stream.close(reason);
}
