// channel.clear(): the events are gone from memory, and clients that lack some of them are told so.
import { describe, expect, test } from "vitest";
import { createHub, type Hub } from "../../../src/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { PlainLog, PlainStore } from "../../../src/testing/index.ts";
import { joined, openHub } from "../../support/hub.ts";

async function publish(hub: Hub, channel: string, ...data: (string | number)[]): Promise<string> {
  let cursor = "";
  for (const each of data) cursor = await hub.channel(channel).dispatch("n", each);
  return cursor;
}

describe("channel.clear()", () => {
  test("leaves nothing to read, and the channel continues", async () => {
    const { hub } = openHub();
    const channel = hub.channel("a");
    expect(await channel.clear()).toBe(null);
    await publish(hub, "a", "secret");
    await channel.dispatch("n", "value", { key: "k" });
    await channel.end();
    const cursor = await channel.clear();
    expect([await channel.state(), cursor]).toEqual(["empty", await hub.cursor()]);
    const client = await joined(hub, { channels: ["a"], from: "start" });
    expect([client.types, client.ended]).toEqual([[], false]);
    await publish(hub, "a", "new");
    await client.settle();
    expect(client.data).toEqual(["new"]);
    expect((await joined(hub, { channels: ["*"], from: "start" })).data).toEqual(["new"]);
  });

  test("tells a client that comes back after it how much it has lost, once, between the events of other channels", async () => {
    const losses: unknown[] = [];
    const { hub } = openHub({ onLoss: ({ kind, channels }) => losses.push([kind, channels]) });
    const first = await publish(hub, "a", 1);
    await publish(hub, "a", 2);
    await publish(hub, "b", 3);
    await hub.channel("a").clear();
    await publish(hub, "a", 4);
    const client = await joined(hub, ["a", "b"], { lastEventId: first });
    expect(client.events.map(({ type, data }) => [type, data])).toEqual([
      ["n", "3"],
      ["sse:gap", '{"missed":1,"from":2,"to":2,"reason":"cleared","exact":false,"channels":["a"]}'],
      ["n", "4"],
    ]);
    expect(losses).toEqual([["gap", ["a"]]]);
    expect((await client.reconnect()).types).toEqual([]);
    const [, gap] = client.events;
    expect((await joined(hub, ["a", "b"], { lastEventId: gap?.lastEventId ?? "" })).data).toEqual(["4"]);
    expect(hub.stats().gaps).toEqual({ cleared: 1 });
  });

  test("tells a client that was away while the channel was cleared twice about both", async () => {
    const { hub } = openHub();
    const first = await publish(hub, "a", 1);
    const reader = hub.channel("a").read({ after: first });
    await publish(hub, "a", 2);
    await hub.channel("a").clear();
    await publish(hub, "b", 3);
    await publish(hub, "a", 4);
    await hub.channel("a").clear();
    const gap = { missed: 4, from: 2, to: 5, reason: "cleared" };
    expect((await joined(hub, "a", { lastEventId: first })).control("gap")).toMatchObject([gap]);
    expect((await reader.next()).value).toMatchObject({ kind: "gap", data: gap });
    await reader.return?.();
  });

  test("tells a client that lags, and not one that has received everything, nor one of another channel", async () => {
    const { hub } = openHub();
    const clients = await Promise.all([joined(hub, "a"), joined(hub, "a"), joined(hub, "b")]);
    const [live, lagging, other] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
    lagging.pause();
    const large = "x".repeat(100_000);
    await publish(hub, "a", large, large, large, "secret");
    await live.settle();
    expect(hub.stats().lagging).toBe(1);
    await hub.channel("a").clear();
    lagging.resume();
    await publish(hub, "a", "new");
    await lagging.until(() => lagging.data.at(-1) === "new");
    await live.settle();
    expect([live.types, other.types]).toEqual([["n", "n", "n", "n", "n"], []]);
    expect(lagging.data).not.toContain("secret");
    expect(lagging.control("gap")).toMatchObject([{ reason: "cleared", channels: ["a"], to: 4 }]);
  });

  test("reaches the memory of every process", async () => {
    const log = memoryLog();
    const shared = { ...proxy(log), close: async () => {} };
    const one = createHub({ log: shared });
    const two = createHub({ log: shared });
    const first = await publish(one, "a", 1);
    await publish(one, "a", "secret");
    await two.cursor();
    const reader = await joined(two, "a", { lastEventId: first });
    expect(reader.data).toEqual(["secret"]);
    await one.channel("a").clear();
    const again = await joined(two, "a", { lastEventId: first });
    expect([again.data, again.control("gap").length]).toEqual([[], 1]);
    await Promise.all([one.close(), two.close()]);
    await log.close();
  });

  test("is a loss to clients at the head whose process read the channel only after it was cleared", async () => {
    const log = memoryLog();
    const late = Promise.withResolvers<void>();
    const one = createHub({ log: { ...proxy(log), close: async () => {} } });
    const two = createHub({ log: { ...proxy(log), tail: tailAfter(late.promise, log), close: async () => {} } });
    const first = await publish(one, "a", 1);
    const elsewhere = await joined(one, "a");
    const [live, other, both] = await Promise.all([
      joined(two, "a", { lastEventId: first }),
      joined(two, "b", { lastEventId: first }),
      joined(two, ["a", "b"], { lastEventId: first }),
    ]);
    const reader = two.channel("a").read({ after: first });
    const next = reader.next();
    await publish(one, "a", "secret");
    await publish(one, "b", 3);
    await one.channel("a").clear();
    await publish(one, "a", "new");
    late.resolve();
    await live.until(() => live.data.at(-1) === "new");
    const gap = { missed: 1, from: 2, to: 2, reason: "cleared" };
    for (const client of [live, both]) expect(client.control("gap")).toMatchObject([gap]);
    expect(both.types).toEqual(["n", "sse:gap", "n"]);
    expect([other.types, elsewhere.types]).toEqual([["n"], ["n", "n"]]);
    expect((await next).value).toMatchObject({ kind: "gap", data: gap });
    expect((await reader.next()).value?.data).toBe("new");
    // They have received the entry that is cleared next.
    await one.channel("a").clear();
    await publish(one, "a", "last");
    await live.until(() => live.data.at(-1) === "last");
    expect([live.control("gap").length, both.control("gap").length]).toEqual([1, 1]);
    await reader.return?.();
    await Promise.all([one.close(), two.close()]);
    await log.close();
  });

  test("is a loss to a reader in the middle, and nothing to one that has read everything", async () => {
    const { hub } = openHub();
    const channel = hub.channel("a");
    const first = await publish(hub, "a", 1);
    const middle = channel.read({ after: first });
    const start = channel.read({ from: "start" });
    await publish(hub, "a", 2);
    const live = channel.read();
    const next = live.next();
    expect((await start.next()).value?.data).toBe("1");
    await channel.clear();
    await publish(hub, "a", 3);
    expect((await next).value?.data).toBe("3");
    expect((await middle.next()).value).toMatchObject({ kind: "gap", data: { reason: "cleared", from: 2, to: 2 } });
    expect((await middle.next()).value?.data).toBe("3");
    for (const events of [middle, start, live]) await events.return?.();
  });

  test("ends a stream of another protocol with its declaration of a loss", async () => {
    const { hub } = openHub();
    const first = await publish(hub, "a", 1);
    await publish(hub, "a", 2);
    await hub.channel("a").clear();
    const options = { channels: ["a"], control: { loss: ({ reason }: { reason: string }) => ({ data: reason }) } };
    const client = await (await joined(hub, options, { lastEventId: first })).end();
    expect(client.data).toEqual(["cleared"]);
    expect((await client.reconnect()).status).toBe(204);
    expect((await joined(hub, { ...options, from: "start" })).types).toEqual([]);
  });

  test("rejects the publisher of an erased run, and is rejected by a log that cannot do it", async () => {
    const { hub } = openHub();
    const after = await publish(hub, "a", 1);
    await hub.channel("a").clear();
    await expect(hub.channel("a").dispatch("n", 2, { after })).rejects.toMatchObject({ code: "ERR_SSE_CONFLICT" });
    await expect(hub.channel("a*").clear()).rejects.toMatchObject({ code: "ERR_SSE_CHANNEL" });
    const plain = openHub({ log: new PlainLog(new PlainStore()) }).hub;
    await expect(plain.channel("a").clear()).rejects.toMatchObject({
      code: "ERR_SSE_OPTION",
      message: expect.stringContaining("clear"),
    });
  });
});

/** A tail that reads its first entries late, as that of a process with a slow connection does. */
function tailAfter(late: Promise<void>, log: ReturnType<typeof memoryLog>): ReturnType<typeof memoryLog>["tail"] {
  return (after, onEntries, onError) => {
    let tail: { close(): void } | null = null;
    let isClosed = false;
    late.then(() => {
      if (!isClosed) tail = log.tail(after, onEntries, onError);
    });
    return {
      close() {
        isClosed = true;
        tail?.close();
      },
    };
  };
}

/** The methods of a log, bound: two hubs share it. */
function proxy(log: ReturnType<typeof memoryLog>): ReturnType<typeof memoryLog> {
  return {
    capabilities: log.capabilities,
    append: (entries) => log.append(entries),
    head: () => log.head(),
    read: (after, options) => log.read(after, options),
    tail: (after, onEntries, onError) => log.tail(after, onEntries, onError),
    witnesses: (offsets) => log.witnesses(offsets),
    last: (count, selection) => log.last(count, selection),
    latestByKey: (selection, options) => log.latestByKey(selection, options),
    locate: (questions) => log.locate(questions),
    clear: (channel) => (log.clear as NonNullable<typeof log.clear>)(channel),
    close: () => log.close(),
  };
}
