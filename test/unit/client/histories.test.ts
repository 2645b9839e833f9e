// Seeded histories of a client and a hub, over a line that cuts at any byte: delivered + declared = published, in order.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { StreamLoss, TextEvent } from "../../../src/client/events.ts";
import { resolveSubscribeOptions } from "../../../src/client/options.ts";
import { Subscription } from "../../../src/client/subscribe.ts";
import { createHub, type Hub } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { VirtualEnvironment } from "../../support/virtual-environment.ts";
import { tick } from "../../support/web.ts";

/** How many histories: more with HISTORIES=10000. */
const histories = Number(globalThis.process?.env.HISTORIES ?? 150);

type Step =
  | { kind: "publish"; channel: "a" | "b"; count: number }
  /** The line is cut after so many more bytes, with an error or as if the server had ended. */
  | { kind: "cut"; bytes: number; how: "error" | "end" }
  | { kind: "refuse"; status: 500 | 503 | 429 }
  | { kind: "wait"; milliseconds: number }
  | { kind: "sleep" }
  /** Another log, as after the loss of all data. */
  | { kind: "replace" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      channel: fc.constantFrom("a" as const, "b" as const),
      count: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("cut" as const),
      bytes: fc.nat(400),
      how: fc.constantFrom("error" as const, "end" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("refuse" as const),
      status: fc.constantFrom(500 as const, 503 as const, 429 as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.nat(4_000) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "sleep" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "replace" as const }) },
);

/** A server with a bad line to its only client. */
class World {
  readonly environment: VirtualEnvironment;
  readonly published: { number: number; log: number }[] = [];
  readonly received: ({ event: TextEvent } | { loss: StreamLoss })[] = [];
  readonly stream: Subscription;
  readonly #retention: { maxEvents: number };
  readonly #pieces: () => number;
  #hub: Hub;
  #log = 0;
  #cut: { bytes: number; how: "error" | "end" } | null = null;
  #refusal: number | null = null;

  constructor(maxEvents: number, random: () => number) {
    this.#retention = { maxEvents };
    this.#pieces = () => 1 + Math.floor(random() * 60);
    this.environment = new VirtualEnvironment(random);
    this.#hub = this.#open();
    const options = resolveSubscribeOptions("http://localhost/events", {
      channels: ["a"],
      fetch: this.#fetch as typeof fetch,
    });
    this.stream = new Subscription(options, this.environment);
    this.stream.on("*", (event) => this.received.push({ event }));
    this.stream.onLoss((loss) => this.received.push({ loss }));
  }

  async happen(step: Step): Promise<void> {
    switch (step.kind) {
      case "publish":
        for (let n = 0; n < step.count; n++) await this.#publish(step.channel);
        break;
      case "cut":
        this.#cut = { bytes: step.bytes, how: step.how };
        break;
      case "refuse":
        this.#refusal = step.status;
        break;
      case "wait":
        await this.pass(step.milliseconds);
        break;
      case "sleep":
        this.environment.time += 120_000;
        this.environment.listener?.onWake();
        break;
      case "replace": {
        const before = this.#hub;
        this.#hub = this.#open();
        this.#log++;
        await before.close();
      }
    }
    await settle();
  }

  /** Lets time go by, and what it brings happen. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.environment.time + milliseconds;
    while (this.environment.next !== undefined && this.environment.next <= end) {
      this.environment.advance(this.environment.next - this.environment.time);
      await settle();
    }
    this.environment.advance(end - this.environment.time);
    await settle();
  }

  async finish(): Promise<void> {
    this.#cut = null;
    this.#refusal = null;
    await this.pass(300_000);
    // The last event shows that all before it have arrived.
    await this.#publish("a");
    await this.pass(60_000);
    this.stream.close();
    await this.#hub.close();
  }

  #open(): Hub {
    return createHub({ log: memoryLog(this.#retention), keepAlive: false, retry: 100, closeOnSignal: false });
  }

  async #publish(channel: "a" | "b"): Promise<void> {
    const number = this.published.length;
    if (channel === "a") this.published.push({ number, log: this.#log });
    await this.#hub.channel(channel).dispatch("n", String(number));
  }

  readonly #fetch = async (url: string, init: RequestInit): Promise<Response> => {
    if (this.#refusal !== null) {
      const status = this.#refusal;
      this.#refusal = null;
      return new Response("Not now", { status });
    }
    const response = await this.#hub.response(new Request(url, init), { channels: ["a"] });
    return new Response(response.body === null ? null : this.#line(response.body), {
      status: response.status,
      headers: response.headers,
    });
  };

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
        let size = Math.min(rest.length, this.#pieces());
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

async function settle(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await tick();
}

/** Judges what was received: in order, nothing twice, and nothing missing without a loss in its place. */
function judge({ published, received }: World): void {
  let next = 0;
  let isDeclared = true;
  for (const item of received) {
    if ("loss" in item) {
      isDeclared = true;
      continue;
    }
    const number = Number(item.event.data);
    expect(number, "an event comes twice, or out of order").toBeGreaterThanOrEqual(next);
    if (number > next) expect(isDeclared, `${next} to ${number - 1} are missing without a loss`).toBe(true);
    next = number + 1;
    isDeclared = false;
  }
  expect(next, "the last event is missing").toBe(published.length);
}

test(`${histories} histories: every loss is declared, nothing comes twice`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 2, max: 40 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })),
      async (steps, maxEvents, chance) => {
        const world = new World(maxEvents, () => chance.next().value);
        await world.happen({ kind: "wait", milliseconds: 0 });
        for (const one of steps) await world.happen(one);
        await world.finish();
        judge(world);
        expect(world.environment.timers, "timers are left").toBe(0);
      },
    ),
    { numRuns: histories },
  );
}, 600_000);
