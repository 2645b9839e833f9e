import { describe, expect, test, vi } from "vitest";
import { ChannelIndex } from "../../../src/hub/feed/channel-index.ts";
import { parseChannels } from "../../../src/hub/selection.ts";
import { SourcecastTypeError } from "../../../src/index.ts";
import { follow, joined, openHub } from "../../support/hub.ts";

describe("the name of a channel", () => {
  test.each(["a", "orders/1", "user:1 2", "é☃😀", "__proto__", "constructor", "a\u2028b", "x".repeat(256)])(
    "%j is one, and finds its own events only",
    async (name) => {
      const { hub } = openHub();
      const client = await joined(hub, name);
      await hub.channel("other").dispatch("n", "no");
      await hub.channel(name).dispatch("n", "yes", { key: "__proto__" });
      await client.settle();
      expect(client.data).toEqual(["yes"]);
    },
  );

  const bad = [
    "",
    "a\n",
    "\0",
    "a\tb",
    "a\u007f",
    "\ud800",
    "x".repeat(257),
    "a*b",
    "**",
    "*a",
    7,
    null,
    undefined,
    ["a"],
  ];
  test.each(bad)("%j is not a valid name", async (name) => {
    const { hub, errors } = openHub();
    expect(() => hub.channel(name as string)).toThrow(SourcecastTypeError);
    // A client may have sent it: see client-input.test.ts.
    expect((await follow(hub, { channels: ["fine", name as string] })).status).toBe(400);
    expect(errors.splice(0)).toEqual([["request", expect.stringContaining("channel name")]]);
    expect(hub.stats().connections).toBe(0);
  });

  test.each([undefined, {}, { channels: "news" }, { channels: 5 }])("the channels %j are refused", async (options) => {
    const { hub } = openHub();
    await expect(hub.response(new Request("http://localhost"), options as never)).rejects.toMatchObject({
      code: "ERR_SSE_CHANNEL",
    });
  });

  test("one with a star is followed, not published to", async () => {
    const { hub } = openHub();
    const orders = hub.channel("orders/*");
    for (const refused of [orders.dispatch("n"), orders.end(), orders.pipe(["x"]), orders.dispatchAll([])]) {
      await expect(refused).rejects.toMatchObject({ code: "ERR_SSE_CHANNEL" });
    }
  });
});

describe("a prefix", () => {
  test("gives all channels under it, those that come up later too, and no other", async () => {
    const { hub } = openHub();
    const before = await hub.cursor();
    const client = await joined(hub, "orders/*");
    for (const name of ["orders/1", "orders", "orders/2/x", "Orders/3", "order", "orders/"]) {
      await hub.channel(name).dispatch("n", name);
    }
    await client.settle();
    expect(client.data).toEqual(["orders/1", "orders/2/x", "orders/"]);
    expect((await joined(hub, "orders/*", { lastEventId: before })).data).toEqual(client.data);
  });

  test("* gives everything", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "*");
    await hub.channel("a").dispatch("n", 1);
    await hub.channel("b/c").dispatch("n", 2);
    await client.settle();
    expect(client.data).toEqual(["1", "2"]);
  });

  test.each([
    ["a name twice", ["a/b", "a/b"]],
    ["a name and a prefix of it", ["a/b", "a/*"]],
    ["a prefix of a prefix", ["a/*", "a*", "a/b*"]],
    ["everything and more", ["*", "*", "a/b", "a*"]],
  ])("%s: each event comes once, live and replayed", async (_, channels) => {
    const { hub } = openHub();
    const before = await hub.cursor();
    const client = await joined(hub, channels);
    await hub.channel("a/b").dispatch("n", 1);
    await client.settle();
    expect(client.data).toEqual(["1"]);
    expect((await joined(hub, channels, { lastEventId: before })).data).toEqual(["1"]);
    expect(hub.stats().deliveries).toBe(2);
  });
});

test("clients of one channel share what was parsed for the first, and names are kept for a bounded number", () => {
  const first = parseChannels({ channels: ["news"] });
  expect(parseChannels({ channels: ["news"] })).toBe(first);
  for (let user = 0; user < 300; user++) parseChannels({ channels: [`user:${user}`] });
  const again = parseChannels({ channels: ["news"] });
  expect(again).toEqual(first);
  expect(again).not.toBe(first);
});

describe("the index of followers", () => {
  test("visits the subscriptions of a channel, by name and by prefix, and none that have closed", () => {
    const topics = new ChannelIndex<string>();
    topics.add("name", { channels: ["a/b"], prefixes: [] });
    topics.add("prefix", { channels: [], prefixes: ["a/"] });
    topics.add("all", { channels: [], prefixes: [""] });
    topics.add("other", { channels: ["a/"], prefixes: ["b", "a/b/"] });
    const visited = (channel: string): string[] => {
      const names: string[] = [];
      topics.visit(channel, (name) => names.push(name));
      return names;
    };
    expect(visited("a/b")).toEqual(["name", "prefix", "all"]);
    expect(visited("")).toEqual(["all"]);
    expect(visited("a/").sort()).toEqual(["all", "other", "prefix"]);
    expect(visited("b1").sort()).toEqual(["all", "other"]);
    topics.delete("prefix", { channels: [], prefixes: ["a/"] });
    topics.delete("all", { channels: [], prefixes: [""] });
    expect(visited("a/b")).toEqual(["name"]);
    topics.delete("name", { channels: ["a/b"], prefixes: [] });
    topics.delete("other", { channels: ["a/"], prefixes: ["b", "a/b/"] });
    expect([topics.size, visited("a/b"), visited("b")]).toEqual([0, [], []]);
  });

  test("a prefix that two follow stays when one leaves, and one of equal length is not taken for it", () => {
    const topics = new ChannelIndex<number>();
    const selection = { channels: [], prefixes: ["ab"] };
    topics.add(1, selection);
    topics.add(2, selection);
    topics.add(3, { channels: [], prefixes: ["xy"] });
    topics.delete(1, selection);
    const visit = vi.fn();
    topics.visit("abc", visit);
    expect(visit.mock.calls.map(([follower]) => follower)).toEqual([2]);
  });

  test("visits only subscriptions of the channel: 100,000 of other channels cost nothing", () => {
    const topics = new ChannelIndex<{ visits: number }>();
    const followers = Array.from({ length: 100_000 }, () => ({ visits: 0 }));
    const selections = followers.map((_, n) => ({
      channels: [`channel ${n}`],
      prefixes: n % 10 === 0 ? [`user ${n}/`] : [],
    }));
    const join = (n: number) => topics.add(followers[n] as { visits: number }, selections[n] as (typeof selections)[0]);
    for (let n = 0; n < 90_000; n++) join(n);
    // Code that iterates over a whole map or set calls one of these.
    const walks = [Map.prototype, Set.prototype].flatMap((type) =>
      (["forEach", "keys", "values", "entries"] as const).map((name) => vi.spyOn(type as Map<unknown, unknown>, name)),
    );
    for (let n = 90_000; n < 100_000; n++) join(n);
    for (let n = 0; n < 100_000; n += 100) topics.visit(`channel ${n}`, (follower) => follower.visits++);
    for (let n = 0; n < 1_000; n++) topics.delete(followers[n] as { visits: number }, selections[n] as never);
    const sizes = walks.flatMap(({ mock }) => mock.contexts.map((walked) => (walked as Set<unknown>).size));
    vi.restoreAllMocks();
    expect(followers.reduce((sum, { visits }) => sum + visits, 0)).toBe(1_000);
    expect(sizes.length).toBeGreaterThan(1_000);
    expect(Math.max(...sizes)).toBeLessThan(10);
  });
});
