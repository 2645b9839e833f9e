// A log that never answers: each question of a connection has a deadline, and the hub works again when the log does.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { HubOptions, SubscribeOptions } from "../../../src/index.ts";
import type { CompleteLog } from "../../../src/log/complete.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { follow, type HubClient, joined, openHub } from "../../support/hub.ts";
import { tick } from "../../support/web.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
});
afterEach(() => void vi.useRealTimers());

type Method = "head" | "locate" | "read" | "last" | "latestByKey" | "witnesses";

/** A hub on a log of which some methods hang: their promises never settle. */
function hangingHub(options: HubOptions = {}) {
  const hanging = new Set<Method>();
  const inner = memoryLog({ maxEvents: 1_000 }) as CompleteLog;
  const log = new Proxy(inner, {
    get(target, name) {
      const value = target[name as keyof CompleteLog] as unknown;
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => (hanging.has(name as Method) ? new Promise(() => {}) : value.apply(target, args));
    },
  });
  return { ...openHub({ log, ring: { maxEvents: 1 }, ...options }), hanging };
}

const timedOut = (stage: string, method: Method, ms = 5_000) => [
  stage,
  `log.${method}() has not settled within ${ms} ms; make the log answer sooner, or raise limits.logTimeout`,
];

/** Until the log has been asked, in one of the next turns of the event loop: the deadline begins then. */
async function asked(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await tick();
}

/** Ten events, of which the ring has the last, and five keys. Resolves with the cursor of the first. */
async function publish(hub: ReturnType<typeof openHub>["hub"]): Promise<string> {
  const events = Array.from({ length: 10 }, (_, n) => ({ type: "n", data: n, ...(n < 5 ? { key: `${n}` } : {}) }));
  return (await hub.channel("a").dispatchAll(events))[0] as string;
}

/** A question, the stream that asks it, and how far the stream has come by then. */
const cases: [method: Method, asks: (cursor: string) => [SubscribeOptions, lastEventId?: string], opened: boolean][] = [
  ["locate", () => [{ channels: ["a"] }], false],
  ["locate", (cursor) => [{ channels: ["a"] }, cursor], false],
  ["last", () => [{ channels: ["a"], rewind: 2 }], false],
  ["head", () => [{ channels: ["a"], rewind: 2, filter: () => true }], false],
  ["read", () => [{ channels: ["a"], rewind: 2, filter: () => true }], false],
  ["read", (cursor) => [{ channels: ["a"] }, cursor], true],
  ["read", () => [{ channels: ["a"], from: "start" }], true],
  ["latestByKey", () => [{ channels: ["a"] }], true],
  ["latestByKey", () => [{ channels: ["a"] }, "gone.1.1"], true],
];

describe.each(cases)("%s() that never settles", (method, asks, opened) => {
  test("ends the stream at the deadline, frees its slot, and the next client is served", async () => {
    const { hub, errors, hanging } = hangingHub();
    const cursor = await publish(hub);
    const [options, lastEventId] = asks(cursor);
    hanging.add(method);
    const opening = follow(hub, options, { lastEventId });
    await asked();
    await vi.advanceTimersByTimeAsync(4_900);
    expect(errors).toEqual([]);
    expect(hub.stats().connections).toBe(1);
    await vi.advanceTimersByTimeAsync(200);
    const client = await (await opening).end();
    expect(client.later?.reason).toBe(opened ? undefined : "error");
    expect(errors.splice(0)).toEqual([timedOut("replay", method)]);
    expect(hub.stats()).toMatchObject({ connections: 0, live: 0, lagging: 0 });
    hanging.clear();
    const next = await joined(hub, options, { lastEventId });
    expect(next.data.length).toBeGreaterThan(0);
    await hub.channel("a").dispatch("n", "live");
    await next.settle();
    expect(next.data.at(-1)).toBe("live");
  });
});

test("live streams continue while the log answers nothing", async () => {
  const { hub, errors, hanging } = hangingHub();
  const client = await joined(hub, "a");
  for (const method of ["head", "locate", "read", "last", "latestByKey", "witnesses"] as const) hanging.add(method);
  await hub.channel("a").dispatch("n", 1);
  await client.settle();
  expect([client.data, errors]).toEqual([["1"], []]);
});

describe("head() that never settles when the hub starts", () => {
  test("rejects whoever waits at the deadline, and the next one asks again", async () => {
    const { hub, errors, hanging } = hangingHub({ limits: { logTimeout: "2s" } });
    hanging.add("head");
    // A publisher learns that nothing is stored.
    const unpublished = { code: "ERR_SSE_LOG", stored: false };
    const waiting = Promise.all([
      expect(hub.channel("a").dispatch("n", 1)).rejects.toMatchObject(unpublished),
      expect(hub.channel("a").end()).rejects.toMatchObject(unpublished),
      expect(hub.cursor()).rejects.toMatchObject({ code: "ERR_SSE_TIMEOUT" }),
    ]);
    const opening = follow(hub, "a");
    await vi.advanceTimersByTimeAsync(2_000);
    await waiting;
    expect((await (await opening).end()).later?.reason).toBe("error");
    expect(errors.splice(0)).toEqual([timedOut("replay", "head", 2_000)]);
    hanging.clear();
    const client = await joined(hub, "a");
    await hub.channel("a").dispatch("n", 2);
    await client.settle();
    expect(client.data).toEqual(["2"]);
  });

  test("does not keep the hub from closing", async () => {
    const { hub, hanging } = hangingHub();
    hanging.add("head");
    const opening = follow(hub, "a").then((client: HubClient) => client.end());
    await tick();
    await hub.close();
    await vi.advanceTimersByTimeAsync(5_000);
    await opening;
  });
});

test("an answer after the deadline is ignored", async () => {
  const inner = memoryLog() as CompleteLog;
  const late: (() => void)[] = [];
  const log = new Proxy(inner, {
    get(target, name) {
      if (name === "locate") {
        return (...args: Parameters<CompleteLog["locate"]>) =>
          new Promise((resolve) => late.push(() => resolve(target.locate(...args))));
      }
      const value = target[name as keyof CompleteLog] as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const { hub, errors } = openHub({ log });
  const opening = follow(hub, "a");
  await asked();
  await vi.advanceTimersByTimeAsync(5_000);
  for (const answer of late) answer();
  await (await opening).end();
  await tick();
  expect(errors.splice(0)).toEqual([timedOut("replay", "locate")]);
  expect(hub.stats()).toMatchObject({ connections: 0, live: 0, lagging: 0 });
});
