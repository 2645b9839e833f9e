/** A server with a bad line to its only client: histories of what happens between them, and the judgement of what was received. */

import { expect } from "vitest";
import { createHub, type Hub } from "../../src/index.ts";
import type { Log } from "../../src/log/log.ts";
import fc from "./properties.ts";
import { tick } from "./web.ts";

/** One thing that happens. */
export type Step =
  | { kind: "publish"; channel: "a" | "b"; count: number }
  /** The line is cut after that many more bytes: with an error, as if the server had ended, or in one direction only. */
  | { kind: "cut"; bytes: number; how: Cut }
  | { kind: "refuse"; status: number }
  /** Bytes wait on the line for this long. */
  | { kind: "delay"; milliseconds: number }
  | { kind: "wait"; milliseconds: number }
  /** The machine of the client sleeps. */
  | { kind: "sleep" }
  /** Another log, as after the loss of all data. */
  | { kind: "replace" };

/**
 * `half-closed`: the client receives the end, and the server learns nothing. `dead`: the server learns of the end, and the client
 * waits for bytes that do not come.
 */
type Cut = "error" | "end" | "half-closed" | "dead";

/** The steps that a client has to survive. */
export function stepsFor({
  statuses,
  cuts,
}: {
  statuses: readonly number[];
  cuts: readonly Cut[];
}): fc.Arbitrary<Step> {
  const publish = fc.record({
    kind: fc.constant("publish" as const),
    channel: fc.constantFrom("a" as const, "b" as const),
    count: fc.integer({ min: 1, max: 6 }),
  });
  const cut = fc.record({ kind: fc.constant("cut" as const), bytes: fc.nat(400), how: fc.constantFrom(...cuts) });
  const refuse = fc.record({ kind: fc.constant("refuse" as const), status: fc.constantFrom(...statuses) });
  const delay = fc.record({ kind: fc.constant("delay" as const), milliseconds: fc.nat(5_000) });
  const wait = fc.record({ kind: fc.constant("wait" as const), milliseconds: fc.nat(4_000) });
  return fc.oneof(
    { weight: 5, arbitrary: publish },
    { weight: 3, arbitrary: cut },
    { weight: 1, arbitrary: refuse },
    { weight: 1, arbitrary: delay },
    { weight: 2, arbitrary: wait },
    { weight: 1, arbitrary: fc.constant({ kind: "sleep" as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: "replace" as const }) },
  );
}

/** The client of a world, with the clock that it lives by. */
export interface WorldClient {
  /** Moves the clock to the next timer, at most by this much. @returns How far. */
  advance(most: number): Promise<number>;
  sleep(): void;
  /** @returns The timers that it has left, if that is known. */
  close(): number;
}

/** Opens the client on this `fetch`, and reports what it receives. */
export type OpenWorldClient = (
  fetch: typeof globalThis.fetch,
  received: { event(data: string): void; loss(): void },
) => WorldClient;

export interface WorldOptions {
  readonly openLog: () => Log;
  readonly openClient: OpenWorldClient;
  readonly random: () => number;
}

/** Status 0: the connection is refused. */
export class ClientWorld {
  readonly #options: WorldOptions;
  readonly #client: WorldClient;
  /** The numbers of the events that were published. */
  #published = 0;
  readonly #received: (number | "loss")[] = [];
  #log: Log;
  #hub: Hub;
  #cut: { bytes: number; how: Cut } | null = null;
  #refusal: number | null = null;
  /** Milliseconds for which bytes wait, in the time of the client. */
  #delay = 0;
  #elapsed = 0;
  #waiting: { at: number; go: () => void }[] = [];

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#log = options.openLog();
    this.#hub = this.#open();
    this.#client = options.openClient(this.#fetch as typeof fetch, {
      event: (data) => this.#received.push(Number(data)),
      loss: () => this.#received.push("loss"),
    });
  }

  /** Runs a history to its end, and judges it. */
  static async run(options: WorldOptions, steps: readonly Step[]): Promise<void> {
    const world = new ClientWorld(options);
    await settle();
    for (const step of steps) await world.#happen(step);
    await world.#finish();
    world.#judge();
  }

  async #happen(step: Step): Promise<void> {
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
      case "delay":
        this.#delay = step.milliseconds;
        break;
      case "wait":
        await this.#pass(step.milliseconds);
        break;
      case "sleep":
        this.#client.sleep();
        break;
      case "replace": {
        const [hub, log] = [this.#hub, this.#log];
        this.#log = this.#options.openLog();
        this.#hub = this.#open();
        await hub.close();
        await log.close();
      }
    }
    await settle();
  }

  /** Lets time go by, and what it brings happen. */
  async #pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; ) {
      const [next] = this.#waiting;
      const most = next === undefined ? left : Math.min(left, Math.max(1, next.at - this.#elapsed));
      const moved = await this.#client.advance(most);
      this.#elapsed += moved;
      left -= Math.max(moved, 0.001);
      while (this.#waiting[0] !== undefined && this.#waiting[0].at <= this.#elapsed) this.#waiting.shift()?.go();
      await settle();
    }
  }

  async #finish(): Promise<void> {
    this.#cut = null;
    this.#refusal = null;
    this.#delay = 0;
    await this.#pass(300_000);
    // The last event shows that all before it have arrived.
    await this.#publish("a");
    await this.#pass(60_000);
    const timers = this.#client.close();
    await settle();
    await this.#hub.close();
    await this.#log.close();
    expect(timers, "timers are left").toBe(0);
  }

  #open(): Hub {
    return createHub({ log: this.#log, keepAlive: false, retry: 100, closeOnSignal: false });
  }

  async #publish(channel: "a" | "b"): Promise<void> {
    const number = channel === "a" ? this.#published++ : -1;
    await this.#hub.channel(channel).dispatch("n", String(number));
  }

  readonly #fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const status = this.#refusal;
    this.#refusal = null;
    if (status === 0) throw new TypeError("The connection was refused");
    if (status !== null) return new Response("Not now", { status });
    const response = await this.#hub.response(new Request(url, init), { channels: ["a"] });
    const { headers } = response;
    return new Response(response.body === null ? null : this.#line(response.body), {
      status: response.status,
      headers,
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
          await this.#waitForDelay();
        }
        let size = Math.min(rest.length, 1 + Math.floor(this.#options.random() * 60));
        const cut = this.#cut;
        if (cut !== null) size = Math.min(size, cut.bytes);
        // A client that has left takes nothing any more.
        if (size > 0) controller.enqueue(rest.slice(0, size));
        rest = rest.slice(size);
        if (cut === null) return;
        cut.bytes -= size;
        if (cut.bytes > 0) return;
        this.#cut = null;
        if (cut.how !== "half-closed") void reader.cancel();
        if (cut.how === "dead") return new Promise(() => {});
        if (cut.how === "error") controller.error(new TypeError("The line was cut"));
        else controller.close();
      },
      cancel: () => reader.cancel(),
    });
  }

  /** A pull that waits does not hold up the cancellation of its stream. */
  #waitForDelay(): Promise<void> | undefined {
    if (this.#delay === 0) return undefined;
    const at = this.#elapsed + this.#delay;
    this.#delay = 0;
    return new Promise((go) => {
      this.#waiting.push({ at, go });
      this.#waiting.sort((one, other) => one.at - other.at);
    });
  }

  /** In order, nothing twice, and nothing missing without a loss in its place. */
  #judge(): void {
    let next = 0;
    let isDeclared = true;
    for (const item of this.#received) {
      if (item === "loss") {
        isDeclared = true;
        continue;
      }
      expect(item, "an event is repeated, or out of order").toBeGreaterThanOrEqual(next);
      if (item > next) expect(isDeclared, `${next} to ${item - 1} are missing without a loss`).toBe(true);
      next = item + 1;
      isDeclared = false;
    }
    expect(next, "the last event is missing").toBe(this.#published);
  }
}

/** Runs this many histories. The counterexample that fast-check prints names the seed. */
export function histories(
  count: number,
  steps: fc.Arbitrary<Step>,
  run: (steps: readonly Step[], maxEvents: number, random: () => number) => Promise<void>,
): Promise<void> {
  const chance = fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }));
  const property = fc.asyncProperty(
    fc.array(steps, { maxLength: 30 }),
    fc.integer({ min: 2, max: 40 }),
    chance,
    (all, maxEvents, stream) => run(all, maxEvents, () => stream.next().value),
  );
  return fc.assert(property, { numRuns: count });
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await tick();
}
