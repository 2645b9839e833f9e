// The server's own reader: channel.read(), channel.subscribe(), channel.state().
import { afterEach, describe, expect, test } from "vitest";
import type { Hub, ReadOptions } from "../../../src/index.ts";
import { createHub } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { PlainLog, PlainStore } from "../../../src/testing/index.ts";
import { defineEvents, text } from "../../../src/wire/contract.ts";
import { openHub } from "../../support/hub.ts";
import { tick } from "../../support/web.ts";

type Events = ReturnType<ReturnType<Hub["channel"]>["read"]>;

const open: Events[] = [];
afterEach(async () => {
  for (const events of open.splice(0)) await events.return?.();
});

function read(hub: Hub, channel: string, options?: ReadOptions): Events {
  const events = hub.channel(channel).read(options);
  open.push(events);
  return events;
}

/** The next events as "type data". */
async function take(events: Events, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const { done, value } = await events.next();
    if (done) return [...taken, "end"];
    taken.push(`${value.type} ${typeof value.data === "string" ? value.data : JSON.stringify(value.data)}`);
  }
  return taken;
}

async function publish(hub: Hub, channel: string, ...data: unknown[]): Promise<string[]> {
  const cursors: string[] = [];
  for (const each of data) cursors.push(await hub.channel(channel).dispatch("n", each));
  return cursors;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await tick();
}

describe("channel.read()", () => {
  test("yields each event from the call on, with its cursor, channel and time", async () => {
    const { hub } = openHub();
    await publish(hub, "a", "old");
    const events = read(hub, "a");
    const [cursor] = await publish(hub, "a", { n: 1 });
    await publish(hub, "b", "other");
    const { value } = await events.next();
    expect(value).toMatchObject({ type: "n", data: '{"n":1}', cursor, channel: "a" });
    expect(value?.json()).toEqual({ n: 1 });
    expect(Math.abs((value?.time ?? 0) - Date.now())).toBeLessThan(60_000);
    const next = events.next();
    await settle();
    await publish(hub, "b", "other");
    await publish(hub, "a", 2);
    expect((await next).value?.data).toBe("2");
  });

  test("starts at the oldest event, after a cursor of the client, or after one of the application, in this order of weight", async () => {
    const { hub } = openHub();
    const [first = "", second = ""] = await publish(hub, "a", 1, 2, 3);
    expect(await take(read(hub, "a", { from: "start" }), 3)).toEqual(["n 1", "n 2", "n 3"]);
    expect(await take(read(hub, "a", { from: first }), 2)).toEqual(["n 2", "n 3"]);
    expect(await take(read(hub, "a", { after: second, from: "start" }), 1)).toEqual(["n 3"]);
    for (const none of [null, undefined, ""]) {
      expect(await take(read(hub, "a", { after: none, from: "start" }), 1)).toEqual(["n 1"]);
    }
  });

  test("has no queue: a slow consumer goes on from its position, in the ring and then in the log", async () => {
    const { hub } = openHub({ ring: { maxEvents: 2 } });
    const events = read(hub, "a");
    await publish(hub, "a", 0);
    expect(await take(events, 1)).toEqual(["n 0"]);
    const numbers = Array.from({ length: 1_200 }, (_, index) => index + 1);
    for (const number of numbers) {
      await hub.channel("a").dispatch("n", number);
      if (number % 100 === 0) await hub.channel("b").dispatch("n", number);
    }
    expect(await take(events, 1_200)).toEqual(numbers.map((number) => `n ${number}`));
    expect(hub.stats()).toMatchObject({ connections: 0, live: 0, lagging: 0, channels: 1 });
  });

  test("yields losses in their place: trimmed entries, another log, a string that is not a cursor", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }), ring: { maxEvents: 1 } });
    const [first = ""] = await publish(hub, "a", 1, 2, 3, 4, 5);
    const trimmed = read(hub, "a", { after: first });
    const { value: gap } = await trimmed.next();
    expect(gap).toMatchObject({
      type: "sse:gap",
      data: { missed: 2, from: 2, to: 3, reason: "trimmed" },
      channel: "a",
    });
    expect(await take(trimmed, 2)).toEqual(["n 4", "n 5"]);
    expect(await take(read(hub, "a", { after: gap?.cursor ?? "" }), 1)).toEqual(["n 4"]);
    for (const [after, reason] of [
      ["zzz.1.1", "epoch"],
      ["7", "unknown"],
    ] as const) {
      const events = read(hub, "a", { after });
      const loss = events.next();
      expect((await loss).value).toMatchObject({ type: "sse:reset", data: { reason } });
      await publish(hub, "a", 6);
      expect(await take(events, 1)).toEqual(["n 6"]);
    }
    expect(hub.stats()).toMatchObject({ gaps: { trimmed: 1 }, resets: 2 });
  });

  test("notices a log that loses its newest entries, is replaced, or skips some, while it waits", async () => {
    const store = new PlainStore();
    const { hub } = openHub({ log: new PlainLog(store) });
    const events = read(hub, "a");
    await publish(hub, "a", 1, 2, 3);
    expect(await take(events, 3)).toEqual(["n 1", "n 2", "n 3"]);
    const next = events.next();
    await settle();
    store.lose(2);
    await publish(hub, "a", 4, 5);
    expect((await next).value).toMatchObject({
      type: "sse:reset",
      data: { reason: expect.stringMatching(/^(ahead|diverged)$/) },
    });
    store.renew();
    await publish(hub, "a", 6);
    const [reset] = await take(events, 1);
    expect(reset).toBe('sse:reset {"reason":"epoch"}');
  });

  test("ends with the channel, at once where it has ended before, and under a prefix yields the end and continues", async () => {
    const { hub } = openHub();
    const live = read(hub, "p/1");
    const [cursor = ""] = await publish(hub, "p/1", 1);
    const prefix = read(hub, "p/*", { from: "start" });
    const end = await hub.channel("p/1").end();
    await publish(hub, "p/2", 2);
    expect(await take(live, 5)).toEqual(["n 1", "end"]);
    expect(await take(prefix, 3)).toEqual(["n 1", 'sse:end {"channel":"p/1"}', "n 2"]);
    expect(await take(read(hub, "p/1"), 1)).toEqual(["end"]);
    expect(await take(read(hub, "p/1", { after: cursor }), 1)).toEqual(["end"]);
    expect(await take(read(hub, "p/1", { after: end }), 1)).toEqual(["end"]);
    expect(await take(read(hub, "p/1", { from: "start" }), 2)).toEqual(["n 1", "end"]);
  });

  test("leaves out superseded events for a reader that lags", async () => {
    const { hub } = openHub();
    const events = read(hub, "a", { from: "start" });
    for (const value of [1, 2, 3]) await hub.channel("a").dispatch("n", value, { key: "k" });
    expect(await take(events, 1)).toEqual(["n 3"]);
  });

  test("ends at once by return(), by break and by its signal, even while a call waits, and leaves nothing behind", async () => {
    const { hub } = openHub();
    const returned = read(hub, "a");
    const aborter = new AbortController();
    const aborted = read(hub, "a", { signal: aborter.signal });
    const waiting = [returned.next(), returned.next(), aborted.next()];
    await settle();
    expect(hub.stats().channels).toBe(1);
    expect(await returned.return?.()).toEqual({ done: true, value: undefined });
    aborter.abort();
    for (const result of await Promise.all(waiting)) expect(result).toEqual({ done: true, value: undefined });
    await publish(hub, "a", 1);
    for await (const event of read(hub, "a", { from: "start" })) {
      expect(event.data).toBe("1");
      break;
    }
    expect(hub.stats().channels).toBe(0);
    expect(await take(read(hub, "a", { signal: AbortSignal.abort() }), 1)).toEqual(["end"]);
  });

  test("answers calls that come together in their order", async () => {
    const { hub } = openHub();
    const events = read(hub, "a");
    const results = [events.next(), events.next(), events.next()];
    await publish(hub, "a", 1, 2, 3);
    expect((await Promise.all(results)).map(({ value }) => value?.data)).toEqual(["1", "2", "3"]);
  });

  test("keeps the process alive while it waits, and only then", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
    const { hub } = openHub();
    await hub.cursor();
    const before = timers();
    const events = read(hub, "a");
    const next = events.next();
    await settle();
    expect(timers()).toBe(before + 1);
    await publish(hub, "a", 1);
    await next;
    expect(timers()).toBe(before);
  });

  test("rejects when the hub closes: the channel has not ended", async () => {
    const hub = createHub();
    const events = hub.channel("a").read();
    const next = events.next();
    await settle();
    await hub.close();
    await expect(next).rejects.toMatchObject({ code: "ERR_SSE_CLOSED" });
    expect(() => hub.channel("a").read()).toThrow(expect.objectContaining({ code: "ERR_SSE_CLOSED" }));
  });

  test("rejects with the failure of the log, and continues with the next call", async () => {
    const log = memoryLog();
    let isBroken = true;
    const locate = log.locate?.bind(log) as NonNullable<typeof log.locate>;
    log.locate = (questions) => (isBroken ? Promise.reject(new Error("No log")) : locate(questions));
    const { hub } = openHub({ log });
    await publish(hub, "a", 1);
    const events = read(hub, "a", { from: "start" });
    await expect(events.next()).rejects.toThrow("No log");
    isBroken = false;
    expect(await take(events, 1)).toEqual(["n 1"]);
  });

  test("decodes data by the contract of the hub", async () => {
    const schema = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } } as const;
    const hub = createHub({ events: defineEvents({ n: schema as never, t: text }) });
    const events = hub.channel("a").read();
    await hub.channel("a").dispatch("n", { x: 1 } as never);
    await hub.channel("a").dispatch("t", "plain");
    expect((await events.next()).value?.data).toEqual({ x: 1 });
    expect((await events.next()).value?.data).toBe("plain");
    await events.return?.();
    await hub.close();
  });

  test.each([
    [{ after: 5 }, "after"],
    [{ from: "yesterday" }, "from"],
    [{ signal: {} }, "signal"],
    [{ form: "now" }, "form"],
  ])("rejects the options %o and names the one that is wrong", (options, name) => {
    const { hub } = openHub();
    for (const use of [
      () => hub.channel("a").read(options as never),
      () => hub.channel("a").subscribe(() => {}, options as never),
    ]) {
      expect(use).toThrow(expect.objectContaining({ code: "ERR_SSE_OPTION", message: expect.stringContaining(name) }));
    }
  });
});

describe("channel.subscribe()", () => {
  test("calls the listener with one event after the other, waits for its promise, and stops when it is removed", async () => {
    const { hub } = openHub();
    const calls: string[] = [];
    let release = () => {};
    const unsubscribe = hub.channel("a").subscribe(async ({ data }) => {
      calls.push(`begin ${data}`);
      if (data === "1") await new Promise<void>((resolve) => (release = resolve));
      calls.push(`end ${data}`);
    });
    await publish(hub, "a", 1, 2);
    await settle();
    expect(calls).toEqual(["begin 1"]);
    release();
    await settle();
    expect(calls).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
    unsubscribe();
    await publish(hub, "a", 3);
    await settle();
    expect(calls).toHaveLength(4);
    expect(hub.stats().channels).toBe(0);
  });

  test("reports what the listener throws, and continues; ends with the signal", async () => {
    const { hub, errors } = openHub();
    const aborter = new AbortController();
    const received: unknown[] = [];
    const listener = ({ data }: { data: unknown }) => {
      received.push(data);
      throw new Error(`Broken ${data}`);
    };
    hub.channel("a").subscribe(listener, { signal: aborter.signal, from: "start" });
    await publish(hub, "a", 1, 2);
    await settle();
    aborter.abort();
    await publish(hub, "a", 3);
    await settle();
    expect(received).toEqual(["1", "2"]);
    expect(errors.splice(0)).toEqual([
      ["subscribe", "Broken 1"],
      ["subscribe", "Broken 2"],
    ]);
  });

  test("counts as a subscription for a producer that stops without any", async () => {
    const { hub } = openHub();
    const unsubscribe = hub.channel("a").subscribe(() => {});
    await settle();
    expect(hub.stats()).toMatchObject({ channels: 1, connections: 0 });
    unsubscribe();
    expect(hub.stats().channels).toBe(0);
  });

  test("rejects anything but a function", () => {
    const { hub } = openHub();
    for (const wrong of [null, undefined, "f", {}]) {
      expect(() => hub.channel("a").subscribe(wrong as never)).toThrow(
        expect.objectContaining({ code: "ERR_SSE_OPTION" }),
      );
    }
  });
});

describe("channel.state()", () => {
  test("is empty, open, or ended; endCursor() is the cursor of the end", async () => {
    const { hub } = openHub();
    const channel = hub.channel("a");
    expect([await channel.state(), await channel.endCursor()]).toEqual(["empty", null]);
    await publish(hub, "b", 1);
    await publish(hub, "a", 1);
    expect([await channel.state(), await channel.endCursor()]).toEqual(["open", null]);
    const end = await channel.end();
    expect([await channel.state(), await channel.endCursor()]).toEqual(["ended", end]);
    await publish(hub, "a", 2);
    expect([await channel.state(), await channel.endCursor()]).toEqual(["open", null]);
    await expect(hub.channel("a*").state()).rejects.toMatchObject({ code: "ERR_SSE_CHANNEL" });
  });
});
