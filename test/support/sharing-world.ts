// The world of seeded histories of subscriptions that share connections: a hub, a page or a browser with tabs, and their steps.
import { expect } from "vitest";
// It is loaded on demand. Here it is there from the start, since the clock is virtual.
import "../../src/client/tabs.ts";
import { FakeBrowser, type FakeTab, maxPosted } from "./fake-tabs.ts";
import { Follower, type HistoryWorld, judge, type Published, randomNumbers } from "./followers.ts";
import { LabeledHub, type Refusal } from "./labeled-hub.ts";
import { VirtualEnvironment } from "./virtual-environment.ts";
import { tick } from "./web.ts";

/** Published to. */
export const channels: readonly string[] = ["a", "b", "c/1", "c/2"];
/** Channels and prefixes that subscriptions follow. */
export const followed: readonly string[] = ["a", "b", "c/1", "c/2", "c/*"];

/** One step of a history. */
export type Step =
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

/** The arguments of a history. */
export interface History {
  readonly steps: readonly Step[];
  /** Where new clients begin. */
  readonly from: "now" | "start";
  /** The most channels of a connection. */
  readonly limit: number | null;
  /** Of all delays and losses of messages. */
  readonly seed: number;
}

/** Runs a history in a page, or in the three tabs of a browser, and judges what each subscription received. */
export async function runHistory({ steps, from, limit, seed }: History, isBrowser: boolean): Promise<void> {
  const world = new World(randomNumbers(seed), from, limit, isBrowser);
  for (let tab = 0; tab < 3; tab++) {
    world.happen({ kind: "follow", channels: followed.slice(tab, tab + 2), how: "listen", back: 0, tab });
  }
  for (const one of steps) {
    world.happen(one);
    await world.pass(one.kind === "wait" ? one.milliseconds : 0);
  }
  await world.finish();
  expect(world.browser.posted, "tabs answer each other without an end").toBeLessThan(maxPosted);
  for (const follower of world.followers) judge(world, follower);
  await world.close();
  expect(world.environment.timers, "timers are left").toBe(0);
  expect(world.hub.open.length, "connections are left").toBe(0);
}

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
