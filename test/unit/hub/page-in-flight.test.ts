// A page of the log that is on its way, or held by a reader, while the log is replaced, or a channel is cleared, is out of date.
import { describe, expect, test } from "vitest";
import { type CompleteLog, completeLog } from "../../../src/log/complete.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { PlainLog, PlainStore } from "../../../src/testing/index.ts";
import { follow, joined, openHub } from "../../support/hub.ts";
import { intercept } from "../../support/intercept.ts";
import { tick } from "../../support/web.ts";

type Reading = "read" | "latestByKey";

/** The log, whose answers about entries are of now and arrive when they are released. */
function slow(log: CompleteLog, method: Reading) {
  const held: (() => void)[] = [];
  let holds = false;
  const late = async (call: () => unknown): Promise<unknown> => {
    const answer = await call();
    if (holds) await new Promise<void>((resolve) => held.push(resolve));
    return answer;
  };
  return {
    log: intercept(log, (name, call) => (name === method ? late(call) : call())),
    hold: () => {
      holds = true;
    },
    get held() {
      return held.length;
    },
    release: () => {
      holds = false;
      for (const resolve of held.splice(0)) resolve();
    },
  };
}

describe("a page from before the break", () => {
  test.each(["read", "latestByKey"] as const)("is not for a client that comes after a clear(): %s", async (method) => {
    const pages = slow(memoryLog() as CompleteLog, method);
    const { hub } = openHub({ log: pages.log, ring: { maxEvents: 1 } });
    const channel = hub.channel("a");
    const first = await channel.dispatch("n", "first");
    await channel.dispatch("n", "secret", { key: "k" });
    await hub.channel("b").dispatch("n", "other");
    await hub.channel("b").dispatch("n", "other");
    const options = method === "read" ? { lastEventId: first } : {};
    pages.hold();
    const before = await follow(hub, "a", options);
    await expect.poll(() => pages.held).toBe(1);
    await channel.clear();
    const after = await follow(hub, "a", options);
    await tick();
    pages.release();
    await channel.dispatch("n", "new");
    for (const client of [before, after]) {
      await client.until(() => client.data.includes("new"));
      expect(client.data).not.toContain("secret");
    }
  });

  test("is not for a reader that has taken an event of it before a clear()", async () => {
    const { hub } = openHub({ ring: { maxEvents: 1 } });
    const channel = hub.channel("a");
    for (const data of ["first", "secret", "secret"]) await channel.dispatch("n", data);
    const reader = channel.read({ from: "start" });
    expect((await reader.next()).value?.data).toBe("first");
    await channel.clear();
    await channel.dispatch("n", "new");
    expect((await reader.next()).value?.data).toBe("new");
    await reader.return?.();
  });

  test("is not for a reader whose page is on its way during a clear()", async () => {
    const pages = slow(memoryLog() as CompleteLog, "read");
    const { hub } = openHub({ log: pages.log, ring: { maxEvents: 1 } });
    const channel = hub.channel("a");
    const after = await channel.dispatch("n", "first");
    for (const data of ["secret", "secret"]) await channel.dispatch("n", data);
    pages.hold();
    const reader = channel.read({ after });
    const next = reader.next();
    await expect.poll(() => pages.held).toBe(1);
    await channel.clear();
    pages.release();
    expect((await next).value).toMatchObject({ kind: "gap", data: { reason: "cleared" } });
    await reader.return?.();
  });

  test("is not for a client that comes after the log was replaced", async () => {
    const store = new PlainStore();
    const pages = slow(completeLog(new PlainLog(store)), "latestByKey");
    const { hub } = openHub({ log: pages.log });
    await hub.channel("a").dispatch("n", "old", { key: "k" });
    pages.hold();
    await follow(hub, "a");
    await expect.poll(() => pages.held).toBe(1);
    store.renew();
    await hub.channel("a").dispatch("n", "new", { key: "k" });
    const client = await follow(hub, "a");
    await tick();
    pages.release();
    await client.settle();
    expect(client.data).toEqual(["new"]);
  });

  test("does not give a client the position of a log that was replaced, without its values", async () => {
    const store = new PlainStore({ maxEvents: 2 });
    const log = completeLog(new PlainLog(store, { poll: false }));
    let isNew = false;
    const replaced = intercept(log, (name, call) => {
      if (name === "latestByKey" && !isNew) {
        isNew = true;
        store.renew();
      }
      return call();
    });
    const { hub } = openHub({ log: replaced, ring: { maxEvents: 1 } });
    const channel = hub.channel("a");
    const first = await channel.dispatch("n", "first");
    await channel.dispatch("n", "lost");
    await channel.dispatch("n", "value", { key: "k" });
    await hub.channel("b").dispatch("n", "other");
    await hub.channel("b").dispatch("n", "other");
    const client = await joined(hub, "a", { lastEventId: first });
    expect(client.events.map(({ type, lastEventId }) => [type, lastEventId.split(".")[0]])).toEqual([
      ["sse:reset", store.epoch],
    ]);
  });
});
