// The store of a log cannot be reached: connections stay, publishers get an answer, and everything goes on afterwards.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createHub } from "../../../src/index.ts";
import type { CompleteLog } from "../../../src/log/complete.ts";
import { LogError } from "../../../src/log/index.ts";
import type { Position, Tail, TailBatch } from "../../../src/log/log.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { follow, joined, openHub } from "../../support/hub.ts";
import { tick } from "../../support/web.ts";

type How = "rejects" | "hangs";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
});
afterEach(() => void vi.useRealTimers());

/** A log on a store that can be cut off. Its tail delivers nothing then, and catches up afterwards. */
function remoteLog() {
  const inner = memoryLog();
  let cutOff: How | null = null;
  const waiting: TailBatch[] = [];
  let deliver: (batch: TailBatch) => void = () => {};
  let report: (error: unknown) => void = () => {};
  const refusal = () => new LogError("The store is away", false);
  const reach = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      if (cutOff === "rejects") throw refusal();
      if (cutOff === "hangs") return new Promise<never>(() => {});
      return call(...args);
    };
  };
  const log: CompleteLog = {
    capabilities: inner.capabilities,
    append: reach((entries) => inner.append(entries)),
    head: reach(() => inner.head()),
    witnesses: reach((offsets) => inner.witnesses(offsets)),
    locate: reach((questions) => inner.locate(questions)),
    read: reach((after, options) => inner.read(after, options)),
    last: reach((count, selection) => inner.last(count, selection)),
    latestByKey: reach((selection, options) => inner.latestByKey(selection, options)),
    tail(after: Position, onEntries, onError): Tail {
      deliver = onEntries;
      report = onError;
      return inner.tail(after, (batch) => (cutOff === null ? onEntries(batch) : waiting.push(batch)), onError);
    },
    close: () => inner.close(),
  };
  return {
    log,
    /** For the appends of other processes. */
    others: inner,
    cut(how: How) {
      cutOff = how;
    },
    report: () => report(refusal()),
    heal() {
      cutOff = null;
      for (const batch of waiting.splice(0)) deliver(batch);
    },
  };
}

const entry = (data: string) => ({ channel: "a", type: "n", data });

describe.each<How>(["rejects", "hangs"])("a store that %s", (how) => {
  test("costs no connection: keep-alives continue, and what others published comes afterwards, once and in order", async () => {
    const { log, others, cut, heal } = remoteLog();
    const { hub, errors } = openHub({ log, keepAlive: "15s" });
    const client = await joined(hub, "a");
    await hub.channel("a").dispatch("n", 1);
    cut(how);
    const before = client.chunks.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect([client.ended, client.chunks.length - before >= 3]).toEqual([false, true]);
    await others.append([entry("2"), entry("3")]);
    await tick();
    expect(client.data).toEqual(["1"]);
    heal();
    await hub.channel("a").dispatch("n", 4);
    await client.until(() => client.data.length === 4);
    expect(client.data).toEqual(["1", "2", "3", "4"]);
    expect(client.control("gap")).toEqual([]);
    errors.length = 0;
  });

  test("answers a publisher within a time, which says whether the event is stored", async () => {
    const { log, cut, heal } = remoteLog();
    const { hub } = openHub({ log });
    await hub.channel("a").dispatch("n", 1);
    cut(how);
    const outcome = hub
      .channel("a")
      .dispatch("n", 2)
      .catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(75_000);
    expect(await outcome).toMatchObject({ code: "ERR_SSE_LOG", stored: how === "hangs" ? "unknown" : false });
    heal();
    await hub.channel("a").dispatch("n", 3);
  });

  test("answers a publisher that comes before anything else", async () => {
    const { log, cut, heal } = remoteLog();
    const { hub } = openHub({ log });
    cut(how);
    const outcome = hub
      .channel("a")
      .dispatch("n", 1)
      .catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await outcome).toMatchObject({ code: "ERR_SSE_LOG", stored: false });
    heal();
    await vi.advanceTimersByTimeAsync(5_000);
  });

  test("tells a new client to retry, with the status 200, and serves it afterwards", async () => {
    const { log, cut, heal } = remoteLog();
    const { hub, errors } = openHub({ log });
    await hub.channel("a").dispatch("n", 1);
    cut(how);
    const early = follow(hub, "a");
    await tick();
    await vi.advanceTimersByTimeAsync(5_000);
    const client = await (await early).end();
    expect([client.status, client.types, (client.parser.retry ?? 0) > 0]).toEqual([200, ["sse:later"], true]);
    expect(errors.splice(0)).toHaveLength(1);
    heal();
    const late = await joined(hub, "a");
    await hub.channel("a").dispatch("n", 2);
    await late.until(() => late.data.length === 1);
  });

  test("is an outage in stats() and for ready(), until it answers again, though nothing happens here", async () => {
    const { log, cut, heal } = remoteLog();
    const { hub } = openHub({ log });
    await hub.ready();
    expect(hub.stats().outage).toBeNull();
    cut(how);
    const since = Date.now();
    const failing = hub.ready().catch((error: unknown) => error);
    await tick();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await failing).toMatchObject({ code: how === "hangs" ? "ERR_SSE_TIMEOUT" : "ERR_SSE_LOG" });
    const { outage } = hub.stats();
    expect(outage?.since).toBeGreaterThanOrEqual(since);
    expect(outage?.error).toMatch(
      how === "hangs" ? /log.locate\(\) has not settled within 5000 ms/ : /The store is away/,
    );
    await vi.advanceTimersByTimeAsync(20_000);
    expect(hub.stats().outage?.since).toBe(outage?.since);
    heal();
    await vi.advanceTimersByTimeAsync(7_000);
    expect(hub.stats().outage).toBeNull();
    await hub.ready();
  });
});

test("the tail reports an outage once, and then once a minute", async () => {
  const { log, report } = remoteLog();
  const { hub, errors } = openHub({ log });
  await hub.ready();
  for (let half = 0; half < 130; half++) {
    report();
    // The probe would end an outage that only the tail sees.
    await vi.advanceTimersByTimeAsync(500);
    if (half === 0) expect(errors).toEqual([["tail", "The store is away"]]);
  }
  expect(errors.length).toBeLessThanOrEqual(70);
  errors.length = 0;
});

test("a log that answers and rejects events, as with a full disk, is an outage until events are accepted", async () => {
  const inner = memoryLog();
  let isFull = true;
  const full = new LogError("There is no room left", false);
  const log = { ...inner, append: (entries: never[]) => (isFull ? Promise.reject(full) : inner.append(entries)) };
  for (const name of ["head", "read", "tail", "close", "locate", "witnesses", "last", "latestByKey"] as const) {
    (log as Record<string, unknown>)[name] = (inner[name] as (...args: never[]) => unknown).bind(inner);
  }
  const { hub } = openHub({ log: log as never });
  await hub.ready();
  await expect(hub.channel("a").dispatch("n", 1)).rejects.toBe(full);
  await vi.advanceTimersByTimeAsync(2_000);
  await expect(hub.ready()).rejects.toMatchObject({ code: "ERR_SSE_LOG", message: "There is no room left" });
  isFull = false;
  await hub.channel("a").dispatch("n", 1);
  expect(hub.stats().outage).toBeNull();
  await hub.ready();
});

test("a conflict, a limit or a wrong event does not count", async () => {
  const { hub } = openHub();
  const first = await hub.channel("a").dispatch("n", 1);
  await hub.channel("a").dispatch("n", 2);
  await expect(hub.channel("a").dispatch("n", 3, { after: first })).rejects.toMatchObject({ code: "ERR_SSE_CONFLICT" });
  expect(hub.stats().outage).toBeNull();
});

test("a hub that drains or is closed is not ready", async () => {
  const draining = createHub();
  await draining.ready();
  await draining.drain({ within: 0 });
  await expect(draining.ready()).rejects.toMatchObject({ code: "ERR_SSE_CLOSED" });
  await draining.close();
  await expect(draining.ready()).rejects.toMatchObject({ code: "ERR_SSE_CLOSED" });
});
