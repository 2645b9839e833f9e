// Seeded histories of subscriptions that share a connection to a real hub, over a line that cuts at any byte.

import { expect, test } from "vitest";
import { channelsOf, createHub, type Hub } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { Follower, type HistoryWorld, judge, type Published, randomNumbers } from "../../support/followers.ts";
import fc from "../../support/properties.ts";
import { VirtualEnvironment } from "../../support/virtual-environment.ts";
import { tick } from "../../support/web.ts";

/** How many histories: more with HISTORIES=10000. */
const histories = Number(globalThis.process?.env.HISTORIES ?? 60);

type Step =
  | { kind: "publish"; channel: string; count: number }
  | { kind: "follow"; channels: string[] }
  | { kind: "leave"; index: number }
  /** All lines are cut after that many more bytes, with an error or as if the server had ended. */
  | { kind: "cut"; bytes: number; how: "error" | "end" }
  | { kind: "refuse"; status: number }
  | { kind: "wait"; milliseconds: number }
  /** Another log, as after the loss of all data. */
  | { kind: "replace" };

const channels = ["a", "b", "c/1", "c/2"];

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
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("follow" as const),
      channels: fc.uniqueArray(fc.constantFrom(...channels, "c/*"), { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("leave" as const), index: fc.nat(6) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("cut" as const),
      bytes: fc.nat(400),
      how: fc.constantFrom("error" as const, "end" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("refuse" as const), status: fc.constantFrom(500, 503, 429) }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.nat(1_500) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "replace" as const }) },
);

class World implements HistoryWorld {
  readonly environment: VirtualEnvironment;
  readonly random: () => number;
  readonly published: Published[] = [];
  readonly followers: Follower[] = [];
  isOver = false;
  #hub: Hub;
  #cut: { bytes: number; how: "error" | "end" } | null = null;
  #refusal: number | null = null;
  readonly #maxEvents: number;
  readonly #from: "now" | "start";

  constructor(random: () => number, maxEvents: number, from: "now" | "start") {
    this.random = random;
    this.#maxEvents = maxEvents;
    this.#from = from;
    this.environment = new VirtualEnvironment(random);
    this.#hub = this.#open();
  }

  async happen(step: Step): Promise<void> {
    switch (step.kind) {
      case "publish":
        for (let n = 0; n < step.count; n++) await this.publish(step.channel);
        break;
      case "follow":
        this.followers.push(new Follower(this, { channels: step.channels }));
        break;
      case "leave":
        void this.followers[step.index]?.finish();
        break;
      case "cut":
        this.#cut = { bytes: step.bytes, how: step.how };
        break;
      case "refuse":
        this.#refusal = step.status;
        break;
      case "wait":
        break;
      case "replace": {
        const before = this.#hub;
        this.#hub = this.#open();
        await before.close();
      }
    }
    await this.pass(step.kind === "wait" ? step.milliseconds : 0);
  }

  async publish(channel: string): Promise<void> {
    const place = this.published.length;
    this.published.push({ place, channel });
    await this.#hub.channel(channel).dispatch(channel, String(place));
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
    this.#cut = null;
    this.#refusal = null;
    this.isOver = true;
    await this.pass(200_000);
    // The last events show that all before them have arrived.
    for (const channel of channels) await this.publish(channel);
    await this.pass(100_000);
  }

  async close(): Promise<void> {
    for (const follower of this.followers) void follower.finish();
    await this.pass(5_000);
    await this.#hub.close();
  }

  #open(): Hub {
    const log = memoryLog({ maxEvents: this.#maxEvents });
    return createHub({ log, keepAlive: false, retry: 100, closeOnSignal: false });
  }

  async #settle(): Promise<void> {
    for (let turn = 0; turn < 6; turn++) await tick();
    for (const follower of this.followers) {
      if (follower.joinedAt === null && follower.stream.cursor !== "") follower.joinedAt = this.published.length;
    }
  }

  readonly fetch = (async (url: string, init: RequestInit): Promise<Response> => {
    if (this.#refusal !== null) {
      const status = this.#refusal;
      this.#refusal = null;
      return new Response("Not now", { status });
    }
    const request = new Request(url, init);
    const asked = await channelsOf(request, { allow: ["a", "b", "c/*"] });
    const response = await this.#hub.response(request, { ...asked, from: this.#from });
    return new Response(response.body === null ? null : this.#line(response.body), {
      status: response.status,
      headers: response.headers,
    });
  }) as typeof globalThis.fetch;

  /** The body in pieces of any size, up to where it is cut. */
  #line(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    let rest = new Uint8Array(0);
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        if (rest.length === 0) {
          const { done, value } = await reader.read();
          if (done) return controller.close();
          rest = value as Uint8Array<ArrayBuffer>;
        }
        let size = Math.min(rest.length, 1 + Math.floor(this.random() * 90));
        const cut = this.#cut;
        if (cut !== null) size = Math.min(size, cut.bytes);
        if (size > 0) controller.enqueue(rest.slice(0, size));
        rest = rest.slice(size);
        if (cut === null) return;
        cut.bytes -= size;
        if (cut.bytes > 0) return;
        this.#cut = null;
        void reader.cancel();
        if (cut.how === "end") controller.close();
        else controller.error(new TypeError("The line was cut"));
      },
      cancel: () => reader.cancel(),
    });
  }
}

test(`${histories} histories with a hub: each subscription receives its own events, all of them, once`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 40, size: "max" }),
      fc.integer({ min: 3, max: 60 }),
      fc.constantFrom("now" as const, "start" as const),
      fc.nat(),
      async (steps, maxEvents, from, seed) => {
        const world = new World(randomNumbers(seed), maxEvents, from);
        await world.happen({ kind: "follow", channels: ["a"] });
        await world.happen({ kind: "follow", channels: ["a", "b"] });
        for (const one of steps) await world.happen(one);
        await world.finish();
        for (const follower of world.followers) judge(world, follower);
        await world.close();
        expect(world.environment.timers, "timers are left").toBe(0);
      },
    ),
    { numRuns: histories },
  );
}, 600_000);

test("a subscription shares a hub's connection, and takes over without a gap", async () => {
  const world = new World(() => 0.5, 100, "now");
  const first = new Follower(world, { channels: ["a"] });
  world.followers.push(first);
  await world.pass(100);
  await world.publish("a");
  await world.pass(100);
  const second = new Follower(world, { channels: ["b", "secret"] });
  world.followers.push(second);
  await world.pass(100);
  await world.publish("a");
  await world.publish("b");
  await world.pass(100);
  const data = (follower: Follower): unknown[] =>
    follower.received.map((item) => ("event" in item ? [item.event.type, item.event.data] : item.loss));
  expect(data(first)).toEqual([
    ["a", "0"],
    ["a", "1"],
  ]);
  expect(data(second)).toEqual([["b", "2"]]);
  await world.close();
});
