import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { joined, openHub } from "../../support/hub.ts";
import { tick } from "../../support/web.ts";

const kilobyte = "x".repeat(1_000);

/** Publishes numbered events of about a kilobyte, all of one tick. */
function publish(hub: ReturnType<typeof openHub>["hub"], from: number, to: number, channel = "a") {
  const events = Array.from({ length: to - from + 1 }, (_, n) => ({ type: "n", data: `${from + n} ${kilobyte}` }));
  return hub.channel(channel).dispatchAll(events);
}

function numbers(data: readonly string[]): number[] {
  return data.map((text) => Number.parseInt(text, 10));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, n) => from + n);
}

describe("one write", () => {
  test("carries all events of a tick, of several channels and calls", async () => {
    const { hub } = openHub();
    const client = await joined(hub, ["a", "b"]);
    const before = client.chunks.length;
    await Promise.all([1, 2, 3].map((n) => hub.channel(n === 2 ? "b" : "a").dispatch("n", n)));
    await client.settle();
    expect(client.data).toEqual(["1", "2", "3"]);
    expect(client.chunks).toHaveLength(before + 1);
  });

  test("carries a whole replay that fits", async () => {
    const { hub } = openHub();
    const before = await hub.cursor();
    await publish(hub, 1, 20);
    const client = await joined(hub, "a", { lastEventId: before });
    expect(numbers(client.data)).toEqual(range(1, 20));
    expect(client.chunks).toHaveLength(1);
  });
});

describe("a slow reader", () => {
  test.each([
    ["from the ring", undefined],
    ["from the log, when the ring has moved past it", { maxEvents: 3 }],
    ["from the log, when the ring keeps less than it needs in bytes", { maxBytes: "4kb" as const }],
  ])("gets everything %s, in order, then is live again", async (_, ring) => {
    const { hub } = openHub(ring === undefined ? {} : { ring });
    const slow = await joined(hub, "a");
    const quick = await joined(hub, "a");
    slow.pause();
    for (let n = 0; n < 40; n++) {
      await publish(hub, n * 10 + 1, n * 10 + 10);
      await publish(hub, 1, 3, "other");
      await tick();
    }
    expect(hub.stats()).toMatchObject({ live: 1, lagging: 1 });
    expect(hub.stats().oldestLag).toBeGreaterThan(200);
    expect(numbers(quick.data)).toEqual(range(1, 400));
    slow.resume();
    await slow.until(() => slow.data.length === 400);
    expect(numbers(slow.data)).toEqual(range(1, 400));
    await publish(hub, 401, 402);
    await slow.settle();
    expect(numbers(slow.data)).toEqual(range(1, 402));
    expect(hub.stats()).toMatchObject({ live: 2, lagging: 0, oldestLag: 0, gaps: {}, resets: 0 });
  });

  test("that starts and stops reading while more comes gets everything once", async () => {
    const { hub } = openHub({ ring: { maxEvents: 30 } });
    const slow = await joined(hub, "a");
    let next = 1;
    for (let round = 0; round < 30; round++) {
      slow.pause();
      await publish(hub, next, next + 99);
      next += 100;
      await tick();
      slow.resume();
      await tick();
    }
    await slow.until(() => slow.data.length === next - 1);
    expect(numbers(slow.data)).toEqual(range(1, next - 1));
  });

  test("that the log has left behind gets its gap declared, and the rest", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 50 }), ring: { maxEvents: 5 } });
    const slow = await joined(hub, "a");
    slow.pause();
    for (let n = 0; n < 40; n++) {
      await publish(hub, n * 10 + 1, n * 10 + 10);
      await tick();
    }
    slow.resume();
    await slow.until(() => numbers(slow.data).at(-1) === 400);
    const [gap] = slow.control("gap") as [{ missed: number; from: number; to: number; reason: string }];
    expect(slow.control("gap")).toHaveLength(1);
    expect([gap.reason, gap.to]).toEqual(["trimmed", 350]);
    expect(numbers(slow.data)).toEqual([...range(1, gap.from - 1), ...range(351, 400)]);
    expect(gap.missed).toBe(gap.to - gap.from + 1);
  });

  test("holds no memory of its own: what waits for it is bounded, whatever is published", async () => {
    const { hub } = openHub({ ring: { maxEvents: 100 } });
    const slow = await joined(hub, "a");
    slow.pause();
    const sizes: number[] = [];
    for (let n = 0; n < 100; n++) {
      await publish(hub, 1, 50);
      sizes.push(hub.stats().bytes);
    }
    expect(sizes.at(-1)).toBe(sizes[10]);
    expect(hub.stats().bytes).toBeLessThan(4 * 64 * 1024);
    expect(hub.stats().ringBytes).toBeLessThan(150_000);
  });

  test("of a quiet channel is live, however much comes on others", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "quiet");
    client.pause();
    for (let n = 0; n < 20; n++) await publish(hub, 1, 100, "loud");
    expect(hub.stats()).toMatchObject({ live: 1, lagging: 0 });
  });
});

describe("one that stops reading", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
  });
  afterEach(() => void vi.useRealTimers());

  test("is closed with the reason stalled after limits.stall, and loses nothing when it comes back", async () => {
    const { hub } = openHub({ limits: { stallTimeout: "10s" } });
    const slow = await joined(hub, "a");
    const quick = await joined(hub, "a");
    slow.pause();
    for (let n = 0; n < 40; n++) {
      await publish(hub, n * 10 + 1, n * 10 + 10);
      await tick();
    }
    await vi.advanceTimersByTimeAsync(9_000);
    expect(hub.stats()).toMatchObject({ connections: 2, stalled: 0, lagging: 1 });
    await vi.advanceTimersByTimeAsync(4_000);
    expect(hub.stats()).toMatchObject({ connections: 1, stalled: 1, lagging: 0, live: 1 });
    slow.resume();
    await slow.end();
    expect(slow.data.length).toBeLessThan(400);
    const again = await slow.reconnect();
    await again.until(() => numbers(again.data).at(-1) === 400);
    expect(numbers([...slow.data, ...again.data])).toEqual(range(1, 400));
    expect(numbers(quick.data)).toEqual(range(1, 400));
  });

  test("is not closed while nothing waits for it, nor while it gets on", async () => {
    const { hub } = openHub({ limits: { stallTimeout: "10s" } });
    const idle = await joined(hub, "quiet");
    idle.pause();
    const slow = await joined(hub, "a");
    for (let step = 0; step < 5; step++) {
      slow.pause();
      for (let n = 0; n < 40; n++) {
        await publish(hub, 1, 10);
        await tick();
      }
      expect(hub.stats()).toMatchObject({ lagging: 1 });
      await vi.advanceTimersByTimeAsync(8_000);
      const before = slow.data.length;
      slow.resume();
      await slow.until(() => slow.data.length > before + 30);
    }
    expect(hub.stats()).toMatchObject({ connections: 2, stalled: 0 });
  });

  test("is not closed while it reads one large event slowly", async () => {
    const { hub } = openHub({ limits: { stallTimeout: "10s" } });
    const { body } = await hub.channel("a").response(new Request("http://localhost"));
    const reader = body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    await hub.channel("a").dispatch("large", "x".repeat(800_000));
    await tick();
    await hub.channel("a").dispatch("after", 1);
    await tick();
    expect(hub.stats()).toMatchObject({ lagging: 1 });
    let received = 0;
    while (received < 600_000) {
      received += (await reader.read()).value?.length ?? 0;
      await vi.advanceTimersByTimeAsync(8_000);
    }
    expect(hub.stats()).toMatchObject({ connections: 1, stalled: 0 });
    await vi.advanceTimersByTimeAsync(12_000);
    expect(hub.stats()).toMatchObject({ connections: 0, stalled: 1 });
    await reader.cancel();
  });

  test("while it is given the state of its channels is closed like any other", async () => {
    const { hub } = openHub({ limits: { stallTimeout: "10s" } });
    for (let n = 0; n < 400; n++) await hub.channel("a").dispatch("n", kilobyte, { key: `k${n}` });
    const { body } = await hub.channel("a").response(new Request("http://localhost"));
    const reader = body?.getReader();
    await vi.advanceTimersByTimeAsync(1_000);
    for (let n = 0; n < 8; n++) await tick();
    expect(hub.stats()).toMatchObject({ connections: 1, lagging: 1, live: 0 });
    await vi.advanceTimersByTimeAsync(12_000);
    expect(hub.stats()).toMatchObject({ connections: 0, stalled: 1 });
    await reader?.cancel();
  });
});

describe("the limit of a replay", () => {
  const declared = (missed: number, from: number, to: number) => ({ missed, from, to, reason: "limit", exact: false });

  test.each([
    ["the ring", undefined],
    ["the log", { maxEvents: 2 }],
  ])("gives so many from %s, declares the rest as a gap, once, and continues", async (_, ring) => {
    const { hub } = openHub({ limits: { maxReplay: 4 }, ...(ring === undefined ? {} : { ring }) });
    const before = await hub.cursor();
    await publish(hub, 1, 10);
    const client = await joined(hub, "a", { lastEventId: before });
    expect(numbers(client.data)).toEqual(range(1, 4));
    expect(client.control("gap")).toEqual([declared(6, 5, 10)]);
    expect((await client.reconnect()).events).toEqual([]);
    expect(hub.stats().gaps).toEqual({ limit: 1 });
  });

  test.each([
    ["a sender", { sender: "me" }],
    ["a filter", { filter: ({ data }: { data: string }) => data !== "mine" }],
  ])("of a new client with %s, rewind counts the superseded entries that it may receive", async (_, options) => {
    const { hub } = openHub({ ring: { maxEvents: 1 } });
    const channel = hub.channel("a");
    for (let n = 0; n < 40; n++) await hub.channel("b").dispatch("n", n);
    await channel.dispatch("n", "first", { key: "k" });
    await channel.dispatch("n", "mine", { key: "k", sender: "me" });
    for (let n = 0; n < 400; n++) await hub.channel("b").dispatch("n", n);
    expect((await joined(hub, { channels: ["a"], rewind: 2, ...options })).data).toEqual(["first"]);
    expect((await joined(hub, { channels: ["a"], rewind: 1, ...options })).data).toEqual([]);
    expect((await joined(hub, { channels: ["a"], rewind: 2 })).data).toEqual(["mine"]);
  });

  test("declares nothing when what is left is not for this client", async () => {
    const { hub } = openHub({ limits: { maxReplay: 4 } });
    const before = await hub.cursor();
    await publish(hub, 1, 4);
    await publish(hub, 1, 4, "other");
    await hub.channel("a").dispatch("n", "mine", { sender: "me" });
    const client = await joined(hub, { channels: ["a"], sender: "me" }, { lastEventId: before });
    expect(client.types).toEqual(Array(4).fill("n"));
    await publish(hub, 5, 5);
    await client.settle();
    expect(numbers(client.data)).toEqual(range(1, 5));
  });

  test("is not for one who was there and reads slowly", async () => {
    const { hub } = openHub({ limits: { maxReplay: 4 } });
    const slow = await joined(hub, "a");
    slow.pause();
    for (let n = 0; n < 30; n++) {
      await publish(hub, n * 10 + 1, n * 10 + 10);
      await tick();
    }
    slow.resume();
    await slow.until(() => numbers(slow.data).at(-1) === 300);
    expect(numbers(slow.data)).toEqual(range(1, 300));
  });

  test("leaves out no present value", async () => {
    const { hub } = openHub({ limits: { maxReplay: 1 } });
    const before = await hub.cursor();
    await publish(hub, 1, 2);
    await hub.channel("a").dispatch("n", "10", { key: "k" });
    await hub.channel("a").dispatch("n", "11", { key: "k" });
    const client = await joined(hub, "a", { lastEventId: before });
    expect(client.types).toEqual(["n", "sse:gap", "n", "sse:checkpoint"]);
    expect(numbers(client.data)).toEqual([1, 11]);
    expect(client.lastEventId).toContain(".4.");
    expect((await client.reconnect()).events).toEqual([]);
  });
});
