// Seeded histories of subscriptions that share connections: none loses an event without a loss, gets one twice, or another's.

import { expect, test } from "vitest";
import fc from "../../support/properties.ts";
// It is loaded on demand. Here it is there from the start, since the clock is virtual.
import "../../../src/client/tabs.ts";
import { FakeBrowser, type FakeTab } from "../../support/fake-tabs.ts";
import { Follower, type HistoryWorld, judge, type Published, randomNumbers } from "../../support/followers.ts";
import { LabeledHub, type Refusal } from "../../support/labeled-hub.ts";
import { VirtualEnvironment } from "../../support/virtual-environment.ts";
import { tick } from "../../support/web.ts";

/** How many histories: more with HISTORIES=10000. */
const histories = Number(globalThis.process?.env.HISTORIES ?? 60);

type Step =
  | { kind: "publish"; channel: string; count: number }
  | { kind: "follow"; channels: string[]; how: "listen" | "loop" | "after"; back: number; tab: number }
  | { kind: "leave"; index: number }
  | { kind: "cut"; index: number; how: "error" | "end" }
  | { kind: "refuse"; refusal: Refusal }
  | { kind: "wait"; milliseconds: number }
  | { kind: "trim"; count: number }
  | { kind: "limit"; perKey: number }
  | { kind: "value"; channel: string }
  | { kind: "tab"; index: number; how: "freeze" | "thaw" | "crash" | "suspend" | "wake" | "deafen" | "listen" }
  | { kind: "replace" };

const channels = ["a", "b", "c/1", "c/2"];
const followed = ["a", "b", "c/1", "c/2", "c/*"];

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      channel: fc.constantFrom(...channels),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("follow" as const),
      channels: fc.uniqueArray(fc.constantFrom(...followed), { minLength: 1, maxLength: 3 }),
      how: fc.constantFrom("listen" as const, "listen" as const, "loop" as const, "after" as const),
      back: fc.nat(6),
      tab: fc.nat(2),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("leave" as const), index: fc.nat(8) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("cut" as const),
      index: fc.nat(3),
      how: fc.constantFrom("error" as const, "end" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("refuse" as const),
      refusal: fc.constantFrom<Refusal>(
        { status: 500 },
        { status: 429 },
        { error: "The network is gone" },
        { later: "connectionsPerKey" },
        { later: "draining" },
      ),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.nat(300) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.nat(5_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("trim" as const), count: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("limit" as const), perKey: fc.constantFrom(1, 2, 3, 100) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("value" as const), channel: fc.constantFrom(...channels) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "replace" as const }) },
);

/** Long enough for a frozen leader to lose its lock. */
const longWait: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant("wait" as const),
  milliseconds: fc.integer({ min: 20_000, max: 60_000 }),
});

const tabStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant("tab" as const),
  index: fc.nat(2),
  how: fc.constantFrom(
    "freeze" as const,
    "thaw" as const,
    "thaw" as const,
    "crash" as const,
    "suspend" as const,
    "wake" as const,
    "wake" as const,
    "deafen" as const,
    "listen" as const,
    "listen" as const,
  ),
});

class World implements HistoryWorld {
  readonly environment: VirtualEnvironment;
  readonly random: () => number;
  readonly hub: LabeledHub;
  readonly followers: Follower[] = [];
  readonly browser: FakeBrowser;
  readonly #isBrowser: boolean;
  /** By data: the model numbers the events through all logs. */
  readonly published: Published[] = [];
  isOver = false;
  /** Where each log begins. */
  readonly #cursors = new Map<string, number>();

  constructor(random: () => number, from: "now" | "start", limit: number | null, isBrowser: boolean) {
    this.random = random;
    this.#isBrowser = isBrowser;
    this.environment = new VirtualEnvironment(random);
    this.hub = new LabeledHub(this.environment, random);
    this.hub.from = from;
    this.hub.limit = limit;
    this.browser = new FakeBrowser(this.environment, random);
    this.browser.lossRate = 0.02;
    for (let n = 0; n < 3; n++) this.browser.open();
    this.#note();
  }

  happen(step: Step): void {
    const { hub } = this;
    switch (step.kind) {
      case "publish":
        for (let n = 0; n < step.count; n++) this.publish(step.channel);
        break;
      case "follow": {
        const offset = Math.max(hub.trimmed, hub.top - step.back);
        const after = step.how === "after" ? hub.cursor(offset) : "";
        const tab = this.#isBrowser ? (this.browser.tabs[step.tab] as FakeTab) : null;
        if (tab?.isGone) break;
        const follower = new Follower(this, { tab, channels: step.channels, after, hasLoop: step.how === "loop" });
        if (after !== "") follower.joinedAt = this.#cursors.get(after) as number;
        this.followers.push(follower);
        break;
      }
      case "leave":
        void this.followers[step.index]?.finish();
        break;
      case "cut":
        hub.open[step.index]?.cut(step.how);
        break;
      case "refuse":
        hub.refusals.push(step.refusal);
        break;
      case "trim":
        hub.trim(step.count);
        break;
      case "limit":
        hub.connectionsPerKey = step.perKey;
        break;
      case "value":
        hub.valued.add(step.channel);
        break;
      case "tab": {
        const tab = this.browser.tabs[step.index] as FakeTab;
        if (!tab.isGone) tab[step.how]();
        break;
      }
      case "replace":
        hub.replace();
        this.#note();
    }
  }

  get fetch(): typeof globalThis.fetch {
    return this.hub.fetch;
  }

  publish(channel: string): void {
    this.published.push({ place: this.published.length, channel });
    this.hub.publish(channel);
    this.#note();
  }

  async pass(milliseconds: number): Promise<void> {
    const end = this.environment.time + milliseconds;
    await this.#settle();
    while (this.environment.next !== undefined && this.environment.next <= end) {
      this.environment.advance(this.environment.next - this.environment.time);
      await this.#settle();
    }
    this.environment.advance(end - this.environment.time);
    await this.#settle();
  }

  async finish(): Promise<void> {
    this.hub.refusals.length = 0;
    this.hub.connectionsPerKey = Number.POSITIVE_INFINITY;
    this.isOver = true;
    this.browser.lossRate = 0;
    for (const tab of this.browser.tabs) {
      if (tab.isGone) continue;
      tab.thaw();
      tab.wake();
      tab.listen();
    }
    await this.pass(200_000);
    // The last events show that all before them have arrived.
    for (const channel of channels) this.publish(channel);
    await this.pass(100_000);
  }

  async close(): Promise<void> {
    for (const follower of this.followers) void follower.finish();
    await this.pass(5_000);
  }

  /** The number of events before the position of the log. */
  #note(): void {
    this.#cursors.set(this.hub.cursor(this.hub.top), this.published.length);
  }

  async #settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) await tick();
    for (const follower of this.followers) {
      if (follower.joinedAt === null && follower.stream.cursor !== "") follower.joinedAt = this.published.length;
    }
  }
}

function property(steps: fc.Arbitrary<Step>, isBrowser: boolean): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(
    fc.array(steps, { minLength: 10, maxLength: 60, size: "max" }),
    fc.constantFrom("now" as const, "now" as const, "start" as const),
    fc.constantFrom(null, null, 3),
    fc.nat(),
    async (steps, from, limit, seed) => {
      const world = new World(randomNumbers(seed), from, limit, isBrowser);
      for (let tab = 0; tab < 3; tab++) {
        const channels = followed.slice(tab, tab + 2);
        world.happen({ kind: "follow", channels, how: "listen", back: 0, tab });
      }
      for (const one of steps) {
        world.happen(one);
        await world.pass(one.kind === "wait" ? one.milliseconds : 0);
      }
      await world.finish();
      for (const follower of world.followers) judge(world, follower);
      await world.close();
      expect(world.environment.timers, "timers are left").toBe(0);
      expect(world.hub.open.length, "connections are left").toBe(0);
    },
  );
}

test(`${histories} histories of a page: each subscription receives its own events, all of them, once`, async () => {
  await fc.assert(property(step, false), { numRuns: histories });
}, 600_000);

test(`${histories} histories of a browser: so does each in tabs that freeze, crash and come back`, async () => {
  const steps = fc.oneof(
    { weight: 12, arbitrary: step },
    { weight: 4, arbitrary: tabStep },
    { weight: 1, arbitrary: longWait },
  );
  await fc.assert(property(steps, true), { numRuns: histories });
}, 600_000);
