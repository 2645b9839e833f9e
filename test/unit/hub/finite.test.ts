import { describe, expect, test, vi } from "vitest";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { follow, joined, openHub } from "../../support/hub.ts";
import { tick } from "../../support/web.ts";

const ended = (channel: string) => ({ channel });

describe("a channel that ends", () => {
  test("is sent as sse:end with the cursor of the end; the stream ends, and a reconnect gets 204", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "a");
    await hub.channel("a").dispatch("n", 1);
    const cursor = await hub.channel("a").end();
    await client.end();
    expect(client.events.at(-1)).toEqual({ type: "sse:end", data: '{"channel":"a"}', lastEventId: cursor });
    const again = await client.reconnect();
    expect([again.status, again.events, again.response.body]).toEqual([204, [], null]);
    expect(hub.stats()).toMatchObject({ connections: 0, live: 0, lagging: 0, channels: 0 });
  });

  test("a client that missed the end gets the rest, the end, and then 204", async () => {
    const { hub } = openHub();
    const first = await hub.channel("a").dispatch("n", 1);
    await hub.channel("a").dispatch("n", 2);
    await hub.channel("a").end();
    await hub.channel("b").dispatch("n", "other");
    const client = await (await joined(hub, "a", { lastEventId: first })).end();
    expect(client.types).toEqual(["n", "sse:end"]);
    expect((await client.reconnect()).status).toBe(204);
  });

  test.each([
    ["nothing", undefined, []],
    ["its last events", 2, ["2"]],
    ["all of it", 9, ["1", "2"]],
  ])("a new client gets %s of it, the end, and then 204", async (_, rewind, expected) => {
    const { hub } = openHub();
    await hub.channel("a").dispatch("n", 1);
    await hub.channel("a").dispatch("n", 2);
    await hub.channel("a").end();
    await hub.channel("b").dispatch("n", "other");
    const client = await follow(hub, rewind === undefined ? "a" : { channels: ["a"], rewind });
    await client.end();
    expect(client.data).toEqual(expected);
    expect(client.control("end")).toEqual([ended("a")]);
    expect((await client.reconnect()).status).toBe(204);
  });

  test("a new client receives the end also while others publish", async () => {
    const { hub } = openHub();
    await hub.channel("a").end();
    const opening = follow(hub, "a");
    for (let n = 0; n < 20; n++) await hub.channel("b").dispatch("n", n);
    const client = await (await opening).end();
    expect(client.control("end")).toEqual([ended("a")]);
  });

  test("of several channels: each end is sent, and the stream ends with the last", async () => {
    const { hub } = openHub();
    const client = await joined(hub, ["a", "b"]);
    await hub.channel("a").end();
    await hub.channel("b").dispatch("n", 1);
    await client.settle();
    expect([client.types, client.ended]).toEqual([["sse:end", "n"], false]);
    const back = await client.reconnect();
    await hub.channel("b").end();
    await back.end();
    expect(back.control("end")).toEqual([ended("b")]);
    expect((await back.reconnect()).status).toBe(204);
  });

  test("of several channels: a new client receives their ends, no events of them, and the events of the rest", async () => {
    const { hub } = openHub();
    await hub.channel("a").end();
    await hub.channel("b").dispatch("n", "before");
    const client = await joined(hub, ["a", "b"]);
    expect(client.control("end")).toEqual([ended("a")]);
    expect(client.lastEventId).toBe(await hub.cursor());
    const again = await client.reconnect();
    expect(again.events).toEqual([]);
    await hub.channel("b").end();
    await again.end();
    expect(again.types).toEqual(["sse:end"]);
  });

  test("of several channels that have ended: a new client receives all ends, in any order, and then gets 204", async () => {
    const { hub } = openHub();
    await hub.channel("b").end();
    await hub.channel("c").dispatch("n", "between");
    await hub.channel("a").end();
    const client = await follow(hub, ["a", "b"]);
    await client.end();
    expect(client.control("end")).toEqual([ended("b"), ended("a")]);
    expect((await client.reconnect()).status).toBe(204);
  });

  test("with a rewind, the end of a channel that ended earlier is sent too", async () => {
    const { hub } = openHub();
    await hub.channel("a").end();
    for (const n of [1, 2, 3]) await hub.channel("b").dispatch("n", n);
    const client = await joined(hub, { channels: ["a", "b"], rewind: 2 });
    expect(client.types).toEqual(["sse:end", "sse:checkpoint", "n", "n"]);
    await hub.channel("b").end();
    await client.end();
  });

  test("under a prefix the end is sent, and the stream continues", async () => {
    const { hub } = openHub();
    const client = await joined(hub, { channels: ["a/*"], filter: ({ type }) => type === "n", sender: "me" });
    await hub.channel("a/1").end();
    await hub.channel("a/2").dispatch("n", 1);
    await client.settle();
    expect(client.types).toEqual(["sse:end", "n"]);
    expect((await client.reconnect()).status).toBe(200);
  });

  test.each([
    ["trimmed", { log: memoryLog({ maxEvents: 2 }) }],
    ["limit", { limits: { maxReplay: 1 } }],
  ])("is sent after a gap (%s) that contains it, or that it follows", async (reason, options) => {
    const { hub } = openHub(options);
    const before = await hub.cursor();
    for (const n of [1, 2, 3]) await hub.channel("a").dispatch("n", n);
    await hub.channel("a").end();
    const client = await (await follow(hub, "a", { lastEventId: before })).end();
    expect(client.control("gap")).toMatchObject([{ reason }]);
    expect(client.types.at(-1)).toBe("sse:end");
    expect((await client.reconnect()).status).toBe(204);
  });

  test("is sent after a reset", async () => {
    const { hub } = openHub();
    await hub.channel("a").end();
    const client = await (await follow(hub, "a", { lastEventId: "foreign.1.1" })).end();
    expect(client.types).toEqual(["sse:reset", "sse:end"]);
    expect((await client.reconnect()).status).toBe(204);
  });

  test("that is published to again continues", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "a");
    await hub.channel("a").end();
    await client.end();
    await hub.channel("a").dispatch("n", "again");
    const again = await client.reconnect();
    expect([again.status, again.data]).toEqual([200, ["again"]]);
  });

  test("a cursor past the top gets a reset rather than 204: the events that it received are lost", async () => {
    const { hub } = openHub();
    const cursor = await hub.channel("a").end();
    const client = await joined(hub, "a", { lastEventId: cursor.replace(/\.1\./, ".7.") });
    expect([client.status, client.types]).toEqual([200, ["sse:reset", "sse:end"]]);
  });
});

describe("a pipe into a channel", () => {
  /** A producer that gives its pieces one by one. */
  function producer() {
    let give: (piece: IteratorResult<string>) => void = () => {};
    const stopped = vi.fn();
    const pieces: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise((resolve) => {
            give = resolve;
          }),
        return: async () => {
          stopped();
          return { done: true, value: undefined };
        },
      }),
    };
    const push = async (value: string) => {
      give({ done: false, value });
      for (let turn = 0; turn < 4; turn++) await tick();
    };
    return { pieces, stopped, push, finish: () => give({ done: true, value: undefined }) };
  }

  test("is one for many readers, survives that they leave, and a reload gets what it missed", async () => {
    const { hub } = openHub();
    const { pieces, stopped, push, finish } = producer();
    const result = hub.channel("story").pipe(pieces, { type: "token", end: "done" });
    const first = await joined(hub, { channels: ["story"], rewind: 1_000 });
    await push("Once ");
    await push("upon ");
    await first.leave();
    await push("a ");
    const reload = await first.reconnect();
    const device = await joined(hub, { channels: ["story"], rewind: 1_000 });
    await push("time");
    expect(stopped).not.toHaveBeenCalled();
    finish();
    expect(await result).toEqual({ ended: "done", events: 4 });
    await Promise.all([reload.end(), device.end()]);
    expect(first.data.concat(reload.data).join("")).toBe("Once upon a time");
    expect(device.data.join("")).toBe("Once upon a time");
    expect(device.types.slice(-2)).toEqual(["done", "sse:end"]);
    expect((await device.reconnect()).status).toBe(204);
  });

  test("leaves the channel open when asked, or when the producer fails or is stopped by the application", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "a");
    expect(await hub.channel("a").pipe(["x"], { endChannel: false })).toEqual({ ended: "done", events: 1 });
    const failure = new Error("Out of tokens");
    const failing = (async function* () {
      yield "y";
      throw failure;
    })();
    expect(await hub.channel("a").pipe(failing)).toEqual({ ended: "failed", events: 1, error: failure });
    const controller = new AbortController();
    const { pieces, stopped, push } = producer();
    const result = hub.channel("a").pipe(pieces, { signal: controller.signal });
    await push("z");
    controller.abort("enough");
    expect(await result).toEqual({ ended: "aborted", events: 1, reason: "enough" });
    expect(stopped).toHaveBeenCalledOnce();
    await client.settle();
    expect([client.data, client.ended]).toEqual([["x", "y", "z"], false]);
  });

  test("ends as failed when the log accepts no further events", async () => {
    const { hub } = openHub({ limits: { eventSize: 3 } });
    expect(await hub.channel("a").pipe(["ok", "too large", "no"])).toMatchObject({
      ended: "failed",
      events: 1,
      error: { code: "ERR_SSE_LIMIT" },
    });
  });

  test("refuses what cannot be piped, and leaves no timer behind", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { hub } = openHub();
    const refused = hub.channel("a").pipe(42 as never, { stopWithoutSubscribers: "1m" });
    await expect(refused).rejects.toMatchObject({ code: "ERR_SSE_PIPE" });
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test("is not stopped by checks that come faster than the time they stand for", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { hub } = openHub();
    const { pieces } = producer();
    const result = hub.channel("a/1").pipe(pieces, { stopWithoutSubscribers: "1h", signal: AbortSignal.timeout(50) });
    vi.advanceTimersByTime(2 * 3_600_000);
    vi.useRealTimers();
    expect(await result).not.toMatchObject({ reason: "unsubscribed" });
  });

  test("is stopped when no client has subscribed for a while, and only if that option is set", async () => {
    // All timers: where the clock continues without them, a hub on Workers takes its own for lost.
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
    try {
      const { hub } = openHub();
      const { pieces, stopped, push } = producer();
      const result = hub.channel("a/1").pipe(pieces, { stopWithoutSubscribers: "10s" });
      vi.advanceTimersByTime(9_000);
      const client = await joined(hub, "a/*");
      vi.advanceTimersByTime(60_000);
      await push("x");
      await client.leave();
      vi.advanceTimersByTime(8_000);
      const again = await client.reconnect();
      vi.advanceTimersByTime(8_000);
      expect(stopped).not.toHaveBeenCalled();
      await again.leave();
      vi.advanceTimersByTime(11_000);
      expect(await result).toEqual({ ended: "closed", events: 1, reason: "unsubscribed" });
      expect(stopped).toHaveBeenCalledOnce();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
