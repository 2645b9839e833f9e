import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { parseCursor } from "../../../src/wire/cursor.ts";
import { follow, joined, openHub } from "../../support/hub.ts";

/** Publishes numbers, and gives the cursors of all. */
async function publish(channel: { dispatch(type: string, data: unknown): Promise<string> }, from: number, to: number) {
  const cursors: string[] = [];
  for (let n = from; n <= to; n++) cursors.push(await channel.dispatch("n", n));
  return cursors;
}

describe("a client that comes back", () => {
  test.each(["header", "query parameter", "both: the header wins"])(
    "by %s: gets what it missed, then what comes",
    async (way) => {
      const { hub } = openHub();
      const news = hub.channel("news");
      const [, second = "", , fourth = ""] = await publish(news, 1, 5);
      const query = way === "header" ? "" : `?lastEventId=${way === "query parameter" ? second : fourth}`;
      const init = way === "query parameter" ? { query } : { query, lastEventId: second };
      const client = await joined(hub, "news", init);
      await publish(news, 6, 7);
      await client.settle();
      expect(client.data).toEqual(["3", "4", "5", "6", "7"]);
      expect(client.types).toEqual(Array(5).fill("n"));
    },
  );

  test("again and again, in the middle of anything: everything once, in order", async () => {
    const { hub } = openHub();
    const news = hub.channel("news");
    let client = await joined(hub, "news");
    const heard: string[] = [];
    for (let n = 0; n < 20; n++) {
      await publish(news, 3 * n, 3 * n + 2);
      if (n % 3 === 0) await client.settle();
      heard.push(...(await client.leave()).data);
      client = await client.reconnect();
    }
    heard.push(...client.data);
    expect(heard).toEqual(Array.from({ length: 60 }, (_, n) => String(n)));
  });

  test("with the cursor of another process' hub over the same log", async () => {
    const log = memoryLog();
    const { hub: one } = openHub({ log });
    const { hub: other } = openHub({ log });
    const client = await joined(one, "news");
    await publish(other.channel("news"), 1, 2);
    await client.settle();
    expect(client.data).toEqual(["1", "2"]);
    await client.leave();
    await publish(one.channel("news"), 3, 3);
    expect((await client.reconnect({}, other)).data).toEqual(["3"]);
  });

  test("with the position of a page: exactly what its state does not have", async () => {
    const { hub } = openHub();
    const news = hub.channel("news");
    expect(parseCursor(await hub.cursor())).toMatchObject({ offset: 0 });
    await publish(news, 1, 3);
    const cursor = await hub.cursor();
    expect(parseCursor(cursor)).toMatchObject({ offset: 3 });
    await publish(news, 4, 5);
    const client = await joined(hub, "news", { query: `?lastEventId=${cursor}` });
    expect(client.events.map(({ data }) => data)).toEqual(["4", "5"]);
  });

  test("with the position of a page of an empty log", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "news", { query: `?lastEventId=${await hub.cursor()}` });
    await publish(hub.channel("news"), 1, 1);
    await client.settle();
    expect(client.events.map(({ data }) => data)).toEqual(["1"]);
  });
});

describe("a gap", () => {
  test("is declared once, with what it leaves out, and the rest follows", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 3 }) });
    const news = hub.channel("news");
    const [first = ""] = await publish(news, 1, 6);
    const client = await joined(hub, "news", { lastEventId: first });
    expect(client.types).toEqual(["sse:gap", "n", "n", "n"]);
    expect(client.control("gap")).toEqual([{ missed: 2, from: 2, to: 3, reason: "trimmed", exact: false }]);
    expect(client.data).toEqual(["4", "5", "6"]);
    expect(hub.stats().gaps).toEqual({ trimmed: 1 });
  });

  test("is not declared again to a client that received it and nothing after it", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 3 }) });
    const [first = ""] = await publish(hub.channel("news"), 1, 6);
    const client = await joined(hub, "news", { lastEventId: first });
    const again = await joined(hub, "news", { lastEventId: client.events[0]?.lastEventId ?? "" });
    expect(again.types).toEqual(["n", "n", "n"]);
  });

  test("is an upper bound even for a client of all channels: the log has entries of the hub's own", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 1 }) });
    const [first = ""] = await publish(hub.channel("a"), 1, 5);
    const client = await joined(hub, "*", { lastEventId: first });
    expect(client.control("gap")).toMatchObject([{ missed: 3, exact: false }]);
  });

  test("is never declared for a channel that lost nothing, however much others lost", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }), ring: { maxEvents: 1 } });
    await hub.channel("quiet").dispatch("n", "before");
    const early = await joined(hub, ["quiet"]);
    const position = await hub.channel("loud").dispatch("n", 0);
    await publish(hub.channel("loud"), 1, 50);
    const client = await joined(hub, ["quiet"], { lastEventId: position });
    await hub.channel("quiet").dispatch("n", "after");
    await client.settle();
    expect(client.events.map(({ data }) => data)).toEqual(["after"]);
    expect(early.data).toEqual(["after"]);
    expect(hub.stats().gaps).toEqual({});
  });
});

describe("a reset", () => {
  test.each([
    ["epoch", (cursor: string) => cursor.replace(/^[^.]+/, "another")],
    ["ahead", (cursor: string) => cursor.replace(/\.\d+\./, ".99.")],
    ["diverged", (cursor: string) => cursor.replace(/[^.]+$/, (witness) => (witness === "1" ? "2" : "1"))],
    ["unknown", (cursor: string) => cursor.slice(0, cursor.lastIndexOf("."))],
    ["unknown", () => "ünknown"],
    ["unknown", () => "x".repeat(5_000)],
  ])("because of %s is declared once, and what comes follows", async (reason, forge) => {
    const { hub } = openHub();
    const news = hub.channel("news");
    const [, second = ""] = await publish(news, 1, 4);
    const client = await joined(hub, "news", { query: `?lastEventId=${encodeURIComponent(forge(second))}` });
    expect(client.events.map(({ type, data }) => [type, data])).toEqual([["sse:reset", JSON.stringify({ reason })]]);
    expect(client.lastEventId).toBe(await hub.cursor());
    const again = await client.reconnect();
    await publish(news, 5, 5);
    await again.settle();
    expect(again.types).toEqual(["n"]);
    expect(hub.stats().resets).toBe(1);
  });

  test("diverged is seen in entries that the ring does not have any more, and in superseded ones", async () => {
    const { hub } = openHub({ ring: { maxEvents: 1 } });
    const news = hub.channel("news");
    const first = await news.dispatch("n", 1, { key: "k" });
    await news.dispatch("n", 2, { key: "k" });
    await publish(news, 3, 5);
    const forged = first.replace(/[^.]+$/, (witness) => (witness === "1" ? "2" : "1"));
    const client = await joined(hub, "news", { lastEventId: forged });
    expect(client.control("reset")).toEqual([{ reason: "diverged" }]);
    expect((await joined(hub, "news", { lastEventId: first })).data).toEqual(["2", "3", "4", "5"]);
  });
});

describe("the position of a client", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
  });
  afterEach(() => void vi.useRealTimers());

  test("an idle client receives it with the keep-alive if its position moved, and only then", async () => {
    const { hub } = openHub({ keepAlive: "10s", log: memoryLog({ maxEvents: 2 }) });
    const [first = ""] = await publish(hub.channel("quiet"), 1, 1);
    const client = await joined(hub, "quiet", { lastEventId: first });
    vi.advanceTimersByTime(11_000);
    await client.settle();
    expect(client.parser.comments).toEqual(["keep-alive 10000", ""]);
    expect(client.events).toEqual([]);
    const [, second] = await publish(hub.channel("loud"), 1, 2);
    vi.advanceTimersByTime(11_000);
    await client.settle();
    expect(client.events).toEqual([{ type: "sse:checkpoint", data: "{}", lastEventId: second }]);
    vi.advanceTimersByTime(11_000);
    await client.settle();
    expect(client.events).toHaveLength(1);
    expect(client.parser.comments).toEqual(["keep-alive 10000", "", ""]);
    await publish(hub.channel("loud"), 3, 9);
    const back = await client.reconnect();
    expect(back.events).toEqual([]);
  });

  test("a client whose filter rejected all events receives it, and misses nothing after it", async () => {
    const { hub } = openHub({ keepAlive: "10s" });
    const news = hub.channel("news");
    const client = await joined(
      hub,
      { channels: ["news"], filter: ({ data }) => data === "3" },
      { lastEventId: await hub.cursor() },
    );
    await publish(news, 1, 2);
    await client.settle();
    expect(client.events).toEqual([]);
    vi.advanceTimersByTime(11_000);
    await client.settle();
    expect(client.types).toEqual(["sse:checkpoint"]);
    await client.leave();
    await publish(news, 3, 4);
    expect((await client.reconnect()).data).toEqual(["3"]);
  });
});

describe("rewind", () => {
  test.each([
    [0, []],
    [2, ["4", "5"]],
    [5, ["1", "2", "3", "4", "5"]],
    [50, ["1", "2", "3", "4", "5"]],
    [Number.POSITIVE_INFINITY, ["1", "2", "3", "4", "5"]],
  ])("%d sends a new client the last events of its channels, then live events", async (rewind, expected) => {
    const { hub } = openHub();
    await publish(hub.channel("other"), 10, 12);
    await publish(hub.channel("a"), 1, 3);
    await publish(hub.channel("other"), 13, 15);
    await publish(hub.channel("b"), 4, 5);
    await publish(hub.channel("other"), 16, 18);
    const client = await joined(hub, { channels: ["a", "b"], rewind });
    await publish(hub.channel("a"), 6, 6);
    await client.settle();
    expect(client.data).toEqual([...expected, "6"]);
    expect(client.types).toEqual(Array(expected.length + 1).fill("n"));
  });

  test("is nothing to a client with a position, and less where the log has less", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }), ring: { maxEvents: 1 } });
    const [, , , fourth = ""] = await publish(hub.channel("a"), 1, 4);
    expect((await joined(hub, { channels: ["a"], rewind: 4 })).data).toEqual(["3", "4"]);
    expect((await joined(hub, { channels: ["a"], rewind: 4 }, { lastEventId: fourth })).events).toEqual([]);
    expect(hub.stats().gaps).toEqual({});
  });

  test("a client that is cut off in the middle of it goes on from there", async () => {
    const { hub } = openHub();
    await publish(hub.channel("a"), 1, 5);
    const client = await joined(hub, { channels: ["a"], rewind: 4 });
    const cut = client.events[1]?.lastEventId ?? "";
    expect((await joined(hub, { channels: ["a"], rewind: 4 }, { lastEventId: cut })).data).toEqual(["4", "5"]);
  });

  test.each(["3", {}])("%j is refused", async (rewind) => {
    const { hub } = openHub();
    await expect(follow(hub, { channels: ["a"], rewind: rewind as number })).rejects.toMatchObject({
      code: "ERR_SSE_OPTION",
      message: expect.stringContaining("rewind"),
    });
    expect(hub.stats().connections).toBe(0);
  });
});
