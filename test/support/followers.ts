// Subscriptions of seeded histories, and the judge: each receives its own events, all of them, once.
import { expect } from "vitest";
import type { Environment } from "../../src/client/environment.ts";
import type { StreamLoss, TextEvent } from "../../src/client/events.ts";
import { resolveSubscribeOptions } from "../../src/client/options.ts";
import { Subscription } from "../../src/client/subscribe.ts";
import type { FakeTab } from "./fake-tabs.ts";

/** An event that was published. */
export interface Published {
  readonly place: number;
  readonly channel: string;
}

/** One subscription, and everything it received. */
export class Follower {
  readonly received: ({ event: TextEvent } | { loss: StreamLoss })[] = [];
  readonly stream: Subscription;
  readonly channels: readonly string[];
  readonly hasLoop: boolean;
  /** The number of events that had been published when it had a position: all later ones are for it. */
  joinedAt: number | null = null;
  #loop: Promise<void> | null = null;

  readonly tab: FakeTab | null;

  constructor(world: HistoryWorld, { tab = null, channels, after = "", hasLoop = false }: FollowerOptions) {
    this.tab = tab;
    this.channels = channels;
    this.hasLoop = hasLoop;
    const fetch = tab === null ? world.fetch : tab.fetch(world.fetch);
    const share = tab === null ? "page" : "browser";
    const options = { share, identity: "ann", fetch, channels, after } as const;
    this.stream = new Subscription(
      resolveSubscribeOptions("http://localhost/events", options),
      tab ?? world.environment,
    );
    this.stream.onLoss((loss) => this.received.push({ loss }));
    if (hasLoop) this.#loop = this.#read(world);
    else this.stream.on("*", (event) => this.received.push({ event }));
  }

  /** Reads slowly, so that the loop is full now and then. */
  async #read(world: HistoryWorld): Promise<void> {
    for await (const event of this.stream.events({ buffer: 2 })) {
      this.received.push({ event });
      if (!world.isOver) await new Promise<void>((resolve) => world.environment.after(world.random() * 200, resolve));
    }
  }

  async finish(): Promise<void> {
    this.stream.close();
    await this.#loop;
  }
}

/** The world of a history, as its followers see it. */
export interface HistoryWorld {
  readonly environment: Environment;
  readonly fetch: typeof fetch;
  readonly published: readonly Published[];
  /** Nothing waits any more. */
  readonly isOver: boolean;
  random(): number;
}

interface FollowerOptions {
  readonly tab?: FakeTab | null;
  readonly channels: readonly string[];
  readonly after?: string;
  /** Reads by a loop that is slow. */
  readonly hasLoop?: boolean;
}

function follows(followed: readonly string[], channel: string): boolean {
  return followed.some((name) => name === channel || (name.endsWith("*") && channel.startsWith(name.slice(0, -1))));
}

/** Numbers from 0 to 1 (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** For each channel: in order, nothing twice, nothing of others, and nothing missing without a loss in its place. */
export function judge({ published }: HistoryWorld, follower: Follower): void {
  const { received, stream, joinedAt } = follower;
  const lastOf = new Map<string, number>();
  const isDeclared = new Set<string>();
  const known = new Set(published.map(({ channel }) => channel));
  /** Events that were not received. The first ones may have come before the subscription. */
  const missing = (channel: string, to: number): Published[] => {
    const from = lastOf.get(channel) ?? (joinedAt ?? published.length) - 1;
    return published.slice(from + 1, to).filter((event) => event.channel === channel);
  };
  for (const item of received) {
    if ("loss" in item) {
      // Only the state of a new client has no cursor: a loop that is full drops of it, and reports that.
      const isState = follower.hasLoop && lastOf.size === 0;
      if (!isState) expect(item.loss.kind, "every event has a cursor").not.toBe("overflow");
      for (const channel of known) isDeclared.add(channel);
      continue;
    }
    const { data, type: channel } = item.event;
    expect(follows(follower.channels, channel), `an event of ${channel} is not for ${follower.channels}`).toBe(true);
    // A value of a new client: it repeats an event, on purpose.
    if (data.startsWith("v")) continue;
    const place = Number(data);
    expect(place, "an event is repeated, or out of order").toBeGreaterThan(lastOf.get(channel) ?? -1);
    if (!isDeclared.has(channel)) expect(missing(channel, place), "events are missing without a loss").toEqual([]);
    lastOf.set(channel, place);
    // A loop lags: a loss is reported before the loop has taken the events that came before it.
    if (!follower.hasLoop) isDeclared.delete(channel);
  }
  if (stream.status.state === "closed" || follower.tab?.isGone) return;
  expect(joinedAt, "an open stream has no position").not.toBeNull();
  for (const channel of known) {
    if (follows(follower.channels, channel))
      expect(missing(channel, published.length), "the last is missing").toEqual([]);
  }
}
