import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { type Channel, createHub, SourcecastError } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { defineEvents } from "../../../src/wire/contract.ts";
import { parseCursor } from "../../../src/wire/cursor.ts";
import { joined, openHub } from "../../support/hub.ts";

/** A contract whose schemas settle at once, or later. */
const contractOf = (validate: (value: unknown) => unknown) =>
  defineEvents({ n: { "~standard": { version: 1, vendor: "test", validate } } as never });

describe.each([
  ["without a contract", undefined],
  ["with a synchronous schema", contractOf((value) => ({ value }))],
  [
    "with an asynchronous schema",
    contractOf(async (value) => new Promise((resolve) => setTimeout(resolve, 5, { value }))),
  ],
])("an event that was dispatched before, %s,", (_, events) => {
  const open = () => createHub(events === undefined ? {} : { events: events as never });

  test.each([false, true])("is not overtaken by the end of its channel (started: %s)", async (isStarted) => {
    await using hub = open();
    const channel = hub.channel("a");
    if (isStarted) await hub.channel("b").dispatch("n", 0);
    const dispatched = [channel.dispatch("n", 1), channel.dispatchAll([{ type: "n", data: 2 }])];
    await channel.end();
    await Promise.all(dispatched);
    const read = [];
    for await (const event of channel.read({ from: "start" })) if (event.kind === "event") read.push(`${event.data}`);
    expect(read).toEqual(["1", "2"]);
  });

  test("is erased by clear()", async () => {
    await using hub = open();
    const channel = hub.channel("a");
    const dispatched = channel.dispatch("n", 1);
    await channel.clear();
    await dispatched;
    expect(await channel.state()).toBe("empty");
  });
});

describe("dispatch", () => {
  test("resolves with the cursor that the clients get as its id, when the log has it", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "a");
    const cursor = await hub.channel("a").dispatch("headline", { title: "Rain" });
    expect(cursor).toBe(await hub.cursor());
    await client.settle();
    expect(client.events).toEqual([{ type: "headline", data: '{"title":"Rain"}', lastEventId: cursor }]);
  });

  test("takes what a source takes as data, and dispatchMessage a message", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "a");
    const channel = hub.channel("a");
    for (const data of ["two\nlines", " space", undefined, null, 0, { a: [1] }, ""])
      await channel.dispatchMessage(data);
    await client.settle();
    expect(client.types).toEqual(Array(7).fill("message"));
    expect(client.data).toEqual(["two\nlines", " space", "", "null", "0", '{"a":[1]}', ""]);
  });

  test.each(["sse:gap", "sse:reset", "sse:checkpoint", "sse:end", "sse:stale", "sse:", "sse:mine"])(
    "refuses the reserved type %s, of several too, with nothing published",
    async (type) => {
      const { hub } = openHub();
      const refusal = { code: "ERR_SSE_TYPE" };
      await expect(hub.channel("a").dispatch(type)).rejects.toMatchObject(refusal);
      await expect(hub.channel("a").dispatchAll([{ type: "n" }, { type }])).rejects.toMatchObject(refusal);
      expect((await hub.channel("a").pipe(["x"], { type })).ended).toBe("failed");
      expect([parseCursor(await hub.cursor())?.offset, hub.stats().published]).toEqual([0, 0]);
    },
  );

  test.each([
    ["ERR_SSE_TYPE", "a\nb", 1],
    ["ERR_SSE_TYPE", "", 1],
    ["ERR_SSE_DATA", "n", 1n],
    ["ERR_SSE_DATA", "n", "\ud800"],
    ["ERR_SSE_DATA", "n", Promise.resolve(1)],
  ])("refuses with %s what no stream could carry (%#)", async (code, type, data) => {
    const { hub } = openHub();
    await expect(hub.channel("a").dispatch(type, data)).rejects.toMatchObject({ code });
    expect(parseCursor(await hub.cursor())?.offset).toBe(0);
  });

  test("several events are next to each other, all of them or none, however many others publish", async () => {
    const { hub } = openHub();
    const client = await joined(hub, "*");
    const [cursors] = await Promise.all([
      hub.channel("a").dispatchAll([1, 2, 3].map((data) => ({ type: "n", data }))),
      hub.channel("b").dispatch("n", 4),
      hub.channel("a").dispatchAll([5, 6].map((data) => ({ type: "n", data }))),
    ]);
    await expect(
      hub.channel("a").dispatchAll([
        { type: "n", data: 7 },
        { type: "n", data: 8n },
      ]),
    ).rejects.toMatchObject({ code: "ERR_SSE_DATA" });
    await client.settle();
    expect(client.data).toEqual(["1", "2", "3", "4", "5", "6"]);
    expect(client.events.slice(0, 3).map(({ lastEventId }) => lastEventId)).toEqual(cursors);
    expect(await hub.channel("a").dispatchAll([])).toEqual([]);
    expect(hub.stats().published).toBe(6);
  });

  test("keeps the order of the calls, under a contract too, waited for or not", async () => {
    const events = defineEvents({ n: z.number() });
    for (const options of [{}, { events }]) {
      await using hub = createHub(options as never);
      const client = await joined(hub, "a");
      const channel = hub.channel("a");
      const several = Array.from({ length: 20 }, (_, data) => ({ type: "n", data }));
      await Promise.all([channel.dispatchAll(several), channel.dispatch("n", 20), channel.dispatch("n", 21)]);
      await client.settle();
      expect(client.data).toEqual(Array.from({ length: 22 }, (_, n) => String(n)));
    }
  });

  test("keeps the order of the calls while the log is opened, at whatever moment they come", async () => {
    for (let turns = 0; turns < 40; turns++) {
      await using hub = createHub();
      const channel = hub.channel("a");
      const published = [channel.dispatch("n", 1)];
      for (let turn = 0; turn < turns; turn++) await null;
      published.push(channel.dispatch("n", 2));
      const [first, second] = (await Promise.all(published)).map((cursor) => parseCursor(cursor)?.offset);
      expect([turns, first, second]).toEqual([turns, 1, 2]);
    }
  });

  test.each([
    ["dispatch", (channel: Channel) => channel.dispatch("n", 1, { after: null } as never)],
    ["dispatchAll", (channel: Channel) => channel.dispatchAll([{ type: "n", data: 1, after: null }] as never)],
    ["dispatch with a string as options", (channel: Channel) => channel.dispatch("n", 1, "x" as never)],
  ])("%s rejects an option that it cannot use with a coded error", async (_, publish) => {
    await using hub = createHub();
    const error = await publish(hub.channel("a")).then(
      () => null,
      (reason) => reason,
    );
    expect(error?.code).toMatch(/^ERR_SSE_/);
  });

  test("refuses data that is larger than eventSize, in bytes", async () => {
    const { hub } = openHub({ limits: { eventSize: 9 } });
    const channel = hub.channel("a");
    for (const fits of ["123456789", "ééééx", "€€€", "😀😀"]) await channel.dispatch("n", fits);
    for (const large of ["1234567890", "ééééé", "€€€x", "😀😀ab"]) {
      await expect(channel.dispatch("n", large)).rejects.toMatchObject({
        code: "ERR_SSE_LIMIT",
        message: expect.stringContaining("10 bytes"),
      });
    }
    expect(hub.stats().published).toBe(4);
  });

  test("costs nothing without subscriptions, and reaches all of them", async () => {
    const { hub } = openHub();
    for (let n = 0; n < 100; n++) await hub.channel(`c${n}`).dispatch("n", n);
    expect(hub.stats()).toMatchObject({ published: 100, deliveries: 0, bytes: 0, channels: 0, head: 100 });
    const clients = await Promise.all(Array.from({ length: 5 }, () => joined(hub, ["c1", "c2"])));
    await hub.channel("c2").dispatch("n", "x");
    await clients[0]?.settle();
    expect(clients.map(({ data }) => data)).toEqual(Array(5).fill(["x"]));
    expect(hub.stats()).toMatchObject({
      deliveries: 5,
      channels: 2,
      live: 5,
      lagging: 0,
      oldestLag: 0,
      connections: 5,
    });
  });
});

describe("not for all", () => {
  test("the sender does not get what it sent, live and replayed; others do", async () => {
    const { hub } = openHub();
    const before = await hub.cursor();
    const me = await joined(hub, { channels: ["a"], sender: "me" });
    const other = await joined(hub, { channels: ["a"], sender: "other" });
    const nobody = await joined(hub, "a");
    await hub.channel("a").dispatch("n", 1, { sender: "me" });
    await hub.channel("a").dispatch("n", 2);
    await hub.channel("a").dispatchAll([{ type: "n", data: 3, sender: "other" }]);
    await me.settle();
    expect([me.data, other.data, nobody.data]).toEqual([
      ["2", "3"],
      ["1", "2"],
      ["1", "2", "3"],
    ]);
    const replayed = await joined(hub, { channels: ["a"], sender: "me" }, { lastEventId: before });
    expect(replayed.data).toEqual(["2", "3"]);
  });

  test("a filter sees channel, type, data and time, and leaves events out, live and replayed", async () => {
    const { hub } = openHub();
    const before = await hub.cursor();
    const seen: unknown[] = [];
    const options = {
      channels: ["a*"],
      filter: ({ channel, type, data, time }: { channel: string; type: string; data: string; time: number }) => {
        seen.push([channel, type, data, Math.abs(time - Date.now()) < 10_000]);
        return data !== "2";
      },
    };
    const client = await joined(hub, options);
    await hub.channel("a1").dispatch("n", 1);
    await hub.channel("a2").dispatch("m", 2);
    await hub.channel("a1").dispatch("n", 3);
    await client.settle();
    expect(client.data).toEqual(["1", "3"]);
    expect(seen).toEqual([
      ["a1", "n", "1", true],
      ["a2", "m", "2", true],
      ["a1", "n", "3", true],
    ]);
    expect((await joined(hub, options, { lastEventId: before })).data).toEqual(["1", "3"]);
  });

  test("a filter that throws ends its own stream, which loses nothing, and no other", async () => {
    const { hub, errors } = openHub();
    let broken = true;
    const filter = ({ data }: { data: string }) => {
      if (broken && data === "2") throw new Error("No filter");
      return true;
    };
    const failing = await joined(hub, { channels: ["a"], filter });
    const other = await joined(hub, "a");
    for (const n of [1, 2, 3]) await hub.channel("a").dispatch("n", n);
    await (await failing.end()).settle();
    expect([failing.data, other.data]).toEqual([["1"], ["1", "2", "3"]]);
    const again = await failing.reconnect({ filter });
    expect([again.ended, again.data]).toEqual([true, []]);
    expect(errors.splice(0)).toEqual(Array(2).fill(["filter", "No filter"]));
    broken = false;
    expect((await again.reconnect({ filter })).data).toEqual(["2", "3"]);
    expect(hub.stats().connections).toBe(2);
  });

  test.each([
    ["throws", () => raise("No handler")],
    ["is async and rejects", async () => raise("No handler")],
  ])("an onError that %s ends nothing but what failed, and hides no error", async (_, onError) => {
    const { hub } = openHub({ onError });
    const { expectConsole } = await import("../../support/console.ts");
    const lines = expectConsole(/\(filter\).*No filter|\(filter, in onError\).*No handler/s);
    const filter = () => {
      throw new Error("No filter");
    };
    const failing = await joined(hub, { channels: ["a"], filter });
    const other = await joined(hub, "a");
    await hub.channel("a").dispatchAll([1, 2].map((data) => ({ type: "n", data })));
    await (await failing.end()).settle();
    expect(other.data).toEqual(["1", "2"]);
    expect(lines).toEqual([expect.stringContaining("No filter"), expect.stringContaining("No handler")]);
  });
});

describe("publishing once", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date", "performance"] }));
  afterEach(() => void vi.useRealTimers());

  test("a repeated idempotencyKey is answered with the first cursor within the window, and counted once", async () => {
    const { hub } = openHub({ log: memoryLog({ idempotencyWindow: "1m" }) });
    const client = await joined(hub, ["a", "b"]);
    const publish = (channel: string, data: string) =>
      hub.channel(channel).dispatch("n", data, { idempotencyKey: "k" });
    const first = await publish("a", "1");
    expect(await publish("a", "2")).toBe(first);
    expect(await publish("b", "3")).not.toBe(first);
    expect(hub.stats().published).toBe(2);
    vi.advanceTimersByTime(61_000);
    expect(await publish("a", "4")).not.toBe(first);
    await client.settle();
    expect(client.data).toEqual(["1", "3", "4"]);
  });

  test("after: refuses when something else came in between on the channel, and on it alone", async () => {
    const { hub } = openHub();
    const channel = hub.channel("a");
    const first = await channel.dispatch("n", 1);
    await hub.channel("b").dispatch("n", "other");
    const second = await channel.dispatch("n", 2, { after: first });
    const conflict = channel.dispatchAll([
      { type: "n", data: 3 },
      { type: "n", data: 4, after: first },
    ]);
    await expect(conflict).rejects.toMatchObject({ code: "ERR_SSE_CONFLICT" });
    await expect(conflict).rejects.toBeInstanceOf(SourcecastError);
    await channel.dispatch("n", 5, { after: second });
    await channel.dispatch("n", 6, { after: await hub.cursor() });
    expect((await joined(hub, { channels: ["a"], rewind: 9 })).data).toEqual(["1", "2", "5", "6"]);
  });

  test("after: a position of another log is a conflict, an invalid string an error", async () => {
    const { hub } = openHub();
    const { hub: other } = openHub();
    for (let n = 0; n < 3; n++) await other.channel("a").dispatch("n", n);
    await hub.channel("a").dispatch("n", 1);
    const refused = hub.channel("a").dispatch("n", 2, { after: await other.cursor() });
    await expect(refused).rejects.toMatchObject({ code: "ERR_SSE_CONFLICT" });
    await expect(hub.channel("a").dispatch("n", 2, { after: "7" })).rejects.toMatchObject({ code: "ERR_SSE_CURSOR" });
    expect(hub.stats().published).toBe(1);
  });
});

function raise(message: string): never {
  throw new Error(message);
}
