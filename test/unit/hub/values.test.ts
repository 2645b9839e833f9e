import { describe, expect, test } from "vitest";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { joined, openHub } from "../../support/hub.ts";
import { tick } from "../../support/web.ts";

type TestHub = ReturnType<typeof openHub>["hub"];

async function set(hub: TestHub, key: string, ...values: (string | number)[]): Promise<string> {
  let cursor = "";
  for (const value of values) cursor = await hub.channel("prices").dispatch("price", `${key}=${value}`, { key });
  return cursor;
}

describe("a channel with keys", () => {
  test("sends a new client the latest event of each key, in the order of publishing, without ids, then live events", async () => {
    const { hub } = openHub();
    await set(hub, "a", 1, 2);
    await set(hub, "b", 1);
    await hub.channel("prices").dispatch("price", "no key");
    await set(hub, "a", 3);
    const cursor = await hub.cursor();
    const client = await joined(hub, "prices");
    expect(client.data).toEqual(["b=1", "a=3"]);
    expect(client.types).toEqual(["price", "price", "sse:checkpoint"]);
    expect(client.events.map(({ lastEventId }) => lastEventId)).toEqual(["", "", cursor]);
    await set(hub, "b", 2);
    await client.settle();
    expect(client.data).toEqual(["b=1", "a=3", "b=2"]);
  });

  test("gives them also when they were trimmed long ago, and under a prefix", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }), ring: { maxEvents: 1 } });
    await set(hub, "a", 1, 2);
    for (let n = 0; n < 20; n++) await hub.channel("other").dispatch("n", n);
    expect((await joined(hub, "prices")).data).toEqual(["a=2"]);
    expect((await joined(hub, "pri*")).data).toEqual(["a=2"]);
  });

  test("gives a client that comes back the newest of each key alone, and no gap for what they superseded", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 3 }), ring: { maxEvents: 2 } });
    const first = await set(hub, "a", 1);
    await set(hub, "a", 2, 3, 4, 5);
    await set(hub, "b", 1, 2, 3);
    const client = await joined(hub, "prices", { lastEventId: first });
    expect(client.events.map(({ type, data }) => [type, data])).toEqual([
      ["price", "a=5"],
      ["price", "b=3"],
    ]);
    expect(client.lastEventId).toBe(await hub.cursor());
    expect(hub.stats().gaps).toEqual({});
  });

  test("sends latest values after a gap, and does not cause another", async () => {
    const { hub } = openHub({ log: memoryLog({ maxEvents: 2 }), ring: { maxEvents: 1 } });
    const first = await hub.channel("prices").dispatch("n", "x");
    await set(hub, "a", 1, 2);
    for (const n of [1, 2, 3]) await hub.channel("prices").dispatch("n", n);
    const client = await joined(hub, "prices", { lastEventId: first });
    expect(client.types).toEqual(["sse:gap", "price", "sse:checkpoint", "n", "n"]);
    expect(client.data).toEqual(["a=2", "2", "3"]);
    const cut = await joined(hub, "prices", { lastEventId: client.events[2]?.lastEventId ?? "" });
    expect(cut.types).toEqual(["n", "n"]);
  });

  test("sends them after a reset, and all of them again to a client that was cut off in between", async () => {
    const { hub } = openHub();
    await set(hub, "a", 1);
    await set(hub, "b", 1);
    const client = await joined(hub, "prices", { lastEventId: "foreign.1.1" });
    expect(client.types).toEqual(["sse:reset", "price", "price", "sse:checkpoint"]);
    expect(client.events.map(({ lastEventId }) => lastEventId === "")).toEqual([true, true, true, false]);
    expect((await client.reconnect()).events).toEqual([]);
  });

  test("gives many of them no faster than they are read", async () => {
    const { hub } = openHub();
    for (let n = 0; n < 1_000; n++) await set(hub, `k${n}`, "x".repeat(1_000));
    const client = await joined(hub, "prices");
    await client.until(() => client.data.length === 1_000);
    expect(Math.max(...client.chunks.map(({ length }) => length))).toBeLessThan(200_000);
  });

  test("gives nothing of channels that may not be read, that a filter leaves out, and of one's own", async () => {
    const { hub } = openHub({ authorize: ({ channel }) => channel !== "p/secret" });
    for (const name of ["p/open", "p/secret"]) await hub.channel(name).dispatch("n", name, { key: "k" });
    await hub.channel("p/mine").dispatch("n", "mine", { key: "k", sender: "me" });
    await hub.channel("p/left").dispatch("n", "left", { key: "k" });
    const filter = ({ data }: { data: string }) => data !== "left";
    expect((await joined(hub, { channels: ["p/*"], sender: "me", filter })).data).toEqual(["p/open"]);
  });
});

describe("conflation", () => {
  const kilobyte = "x".repeat(1_000);

  test.each([
    ["the ring", undefined],
    ["the log", { maxEvents: 2 }],
  ])(
    "a lagging reader gets the newest alone from %s; those skipped count as conflated, not as lost",
    async (_, ring) => {
      const { hub } = openHub(ring === undefined ? {} : { ring });
      const slow = await joined(hub, "prices");
      const quick = await joined(hub, "prices");
      slow.pause();
      for (let n = 0; n < 200; n++) {
        await set(hub, n % 2 === 0 ? "even" : "odd", `${n} ${kilobyte}`);
        await tick();
      }
      expect(quick.data).toHaveLength(200);
      slow.resume();
      await slow.until(() => slow.data.some((data) => data.startsWith("odd=199")));
      const received = slow.data.length;
      expect(slow.data.slice(-2).map((data) => data.slice(0, 9).trim())).toEqual(["even=198", "odd=199 x"]);
      expect(received).toBeLessThan(190);
      // The reader has the last event a moment before its subscription is counted as live.
      await slow.settle();
      const { conflated, gaps, lagging } = hub.stats();
      expect([conflated, lagging, gaps]).toEqual([200 - received, 0, {}]);
      await set(hub, "even", 200);
      await slow.settle();
      expect(slow.data.at(-1)).toBe("even=200");
    },
  );

  test("those of a page that is read in several turns count as well", async () => {
    const { hub } = openHub({ ring: { maxEvents: 1 } });
    const before = await hub.cursor();
    const large = kilobyte.repeat(20);
    for (let n = 0; n < 15; n++) await hub.channel("prices").dispatch("n", large, { key: String(n % 10) });
    await hub.channel("other").dispatch("n", 0);
    const client = await joined(hub, "prices", { lastEventId: before });
    expect([client.data.length, hub.stats().conflated]).toEqual([10, 5]);
  });

  test("keys of different channels have nothing to do with each other", async () => {
    const { hub } = openHub();
    const before = await hub.cursor();
    await hub.channel("a").dispatch("n", "a", { key: "k" });
    await hub.channel("b").dispatch("n", "b", { key: "k" });
    await hub.channel("a").dispatch("n", "plain");
    expect((await joined(hub, "*", { lastEventId: before })).data).toEqual(["a", "b", "plain"]);
    expect(hub.stats().conflated).toBe(0);
  });

  test("a live reader gets all of them", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "prices");
    await hub.channel("prices").dispatchAll([1, 2, 3].map((n) => ({ type: "price", data: n, key: "k" })));
    await client.settle();
    expect(client.data).toEqual(["1", "2", "3"]);
  });
});
