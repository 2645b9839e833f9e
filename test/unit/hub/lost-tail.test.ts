import { expect, test, vi } from "vitest";
import { PlainLog, PlainStore } from "../../../src/testing/index.ts";
import { joined, openHub } from "../../support/hub.ts";

// A log that is not durable may lose its newest entries while its hubs live on, as Redis does in a failover.

function open(maxEvents = 1_000, options: Parameters<typeof openHub>[0] = {}) {
  const store = new PlainStore({ maxEvents, maxBytes: "1mb" });
  const log = new PlainLog(store);
  const { hub } = openHub({ log, ...options });
  return { log, store, hub, news: hub.channel("news") };
}

test("entries written over a lost tail reach clients of the lost ones after a reset", async () => {
  const { store, hub, news } = open();
  const client = await joined(hub, "news");
  for (const n of [1, 2, 3]) await news.dispatch("n", n);
  await client.settle();
  store.lose(2);
  await news.dispatch("n", "2 again");
  await client.end();
  expect(client.data).toEqual(["1", "2", "3"]);
  const again = await client.reconnect();
  expect(again.control("reset")).toEqual([{ reason: "ahead" }]);
  await news.dispatch("n", 4);
  await again.settle();
  expect(again.data).toEqual(["4"]);
});

test("a client whose position the log has lost is reset, and does not get what was lost", async () => {
  const { store, hub, news } = open();
  await news.dispatch("n", 1);
  const lastEventId = await news.dispatch("n", 2);
  store.lose(1);
  const client = await joined(hub, "news", { lastEventId });
  expect(client.types).toEqual(["sse:reset"]);
  expect(client.control("reset")).toEqual([{ reason: "ahead" }]);
  await news.dispatch("n", "2 again");
  await client.settle();
  expect([client.data, (await client.reconnect()).events]).toEqual([["2 again"], []]);
});

test("one connecting client is enough to find the loss: clients that have what was lost reconnect, and are reset", async () => {
  const { store, hub, news } = open(12, { ring: { maxEvents: 2 } });
  const old = await joined(hub, "news");
  for (let n = 1; n <= 6; n++) await news.dispatch("n", n);
  await old.settle();
  store.lose(5);
  const client = await joined(hub, { channels: ["news"], rewind: 1 });
  expect(client.data).toEqual(["1"]);
  await old.end();
  expect((await old.reconnect()).control("reset")).toEqual([{ reason: "ahead" }]);
});

test("an end marker that replaced an entry of a client is not the end that it received", async () => {
  const { store, hub, news } = open();
  const cursor = await news.dispatch("n", 1);
  store.lose(1);
  await news.end();
  const client = await joined(hub, "news", { lastEventId: cursor });
  expect(client.status).toBe(200);
  expect(client.control("reset")).toEqual([{ reason: "diverged" }]);
  expect(client.control("end")).toEqual([{ channel: "news" }]);
});

test("the gap of a limited replay ends at an entry that shows a later loss", async () => {
  const { store, hub, news } = open(1_000, { limits: { maxReplay: 1 } });
  const start = await hub.cursor();
  for (const n of [1, 2, 3]) await news.dispatch("n", n);
  const client = await joined(hub, "news", { lastEventId: start });
  expect(client.control("gap")).toMatchObject([{ from: 2, to: 3, reason: "limit" }]);
  const { lastEventId } = await client.leave();
  store.lose(2);
  await news.dispatch("n", "2 again");
  await news.dispatch("n", "3 again");
  const again = await joined(hub, "news", { lastEventId });
  expect(again.control("reset")).toEqual([{ reason: "diverged" }]);
});

test("an entry written over the newest one while the hub starts is the one that its clients get", async () => {
  const { log, store, hub } = open();
  await log.append([{ channel: "news", type: "n", data: "1" }]);
  const head = log.head.bind(log);
  vi.spyOn(log, "head").mockImplementationOnce(async () => {
    const before = await head();
    store.lose(1);
    await log.append([{ channel: "news", type: "n", data: "1 again" }]);
    return before;
  });
  const client = await joined(hub, "news");
  expect((await client.reconnect()).control("reset")).toEqual([]);
});
