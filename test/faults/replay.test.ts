// The cost of a replay: bytes read, memory, and the event loop of all other work.
import { afterEach, describe, expect, test } from "vitest";
import { sharedPages } from "../../src/hub/subscription/snapshot.ts";
import { createHub, type Hub, type HubOptions, type SubscribeOptions } from "../../src/index.ts";
import type { CompleteLog } from "../../src/log/complete.ts";
import type { NewEntry } from "../../src/log/log.ts";
import { weightOf } from "../../src/log/retention.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { collectGarbage } from "../support/collect-garbage.ts";
import { file, openLog } from "../support/sqlite.ts";
import { request, tick } from "../support/web.ts";

const large = { maxEvents: 1_000_000, maxBytes: "2gb" } as const;
const logs = [
  ["memory", () => memoryLog(large) as CompleteLog],
  ["sqlite", () => openLog({ path: file(), ...large })],
] as const;

const hubs: Hub[] = [];
const readers: ReadableStreamDefaultReader<Uint8Array>[] = [];
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.cancel();
  for (const hub of hubs.splice(0)) await hub.close();
});

function openHub(options: HubOptions): Hub {
  const hub = createHub(options);
  hubs.push(hub);
  return hub;
}

/** The log, with the weight of all entries that it returned. */
function weighing(log: CompleteLog) {
  const read = { pages: 0, bytes: 0 };
  const weigh = async <P extends { entries: readonly Parameters<typeof weightOf>[0][] }>(page: Promise<P>) => {
    read.pages++;
    for (const entry of (await page).entries) read.bytes += weightOf(entry);
    return page;
  };
  const weighed = new Proxy(log, {
    get(target, name) {
      if (name === "read") return (...args: Parameters<CompleteLog["read"]>) => weigh(target.read(...args));
      if (name === "latestByKey") {
        return (...args: Parameters<CompleteLog["latestByKey"]>) => weigh(target.latestByKey(...args));
      }
      const value = target[name as keyof CompleteLog] as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { log: weighed, read };
}

async function fill(log: CompleteLog, count: number, make: (n: number) => NewEntry): Promise<void> {
  for (let n = 0; n < count; n += 1_000) {
    await log.append(Array.from({ length: Math.min(1_000, count - n) }, (_, k) => make(n + k)));
  }
}

async function follow(hub: Hub, options: SubscribeOptions, lastEventId = "") {
  const headers: Record<string, string> = lastEventId === "" ? {} : { "last-event-id": lastEventId };
  const { body } = await hub.response(request({ headers }), options);
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  readers.push(reader);
  return reader;
}

/** Reads until that many events of the type "n" have come. Returns the bytes. */
async function receive(reader: ReadableStreamDefaultReader<Uint8Array>, count: number): Promise<number> {
  const decoder = new TextDecoder();
  let [events, bytes, rest] = [0, 0, ""];
  while (events < count) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`The stream ended after ${events} events`);
    bytes += value.length;
    const blocks = (rest + decoder.decode(value, { stream: true })).split("\nevent: n\n");
    events += blocks.length - 1;
    rest = (blocks.at(-1) as string).slice(-10);
  }
  return bytes;
}

/** Processor time of each turn of the event loop while something is under way, in milliseconds, in the mean. */
async function meanTurn(isOver: () => boolean): Promise<number> {
  const begin = process.cpuUsage();
  let turns = 0;
  for (; !isOver(); turns++) await tick();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1_000 / turns;
}

/** The same of a process that is busy for 5 ms in each turn. */
function busyTurn(): Promise<number> {
  let turns = 0;
  return meanTurn(() => {
    const end = performance.now() + 5;
    while (performance.now() < end);
    return ++turns === 40;
  });
}

describe.each(logs)("on %s", (_, makeLog) => {
  test.each([
    [600, 100_000],
    [300, 1_000_000],
  ])("%d events of %d bytes are read once for a client that resumes", async (count, size) => {
    const { log, read } = weighing(makeLog());
    const hub = openHub({ log, limits: { eventSize: "2mb" }, ring: { maxEvents: 1 } });
    const start = await hub.cursor();
    const data = "x".repeat(size);
    for (let n = 0; n < count; n++) await hub.channel("a").dispatch("n", data);
    const bytes = await receive(await follow(hub, { channels: ["a"] }, start), count);
    expect(bytes).toBeGreaterThan(count * size * 0.99);
    expect(read.bytes).toBeLessThan(count * size * 1.05);
  });

  test("clients that lag at the same place share what is read", async () => {
    const { log, read } = weighing(makeLog());
    const hub = openHub({ log, ring: { maxEvents: 1 } });
    const start = await hub.cursor();
    await fill(log, 4_000, (n) => ({ channel: n % 2 === 0 ? "a" : "b", type: "n", data: "x".repeat(1_000) }));
    const clients = await Promise.all(Array.from({ length: 20 }, () => follow(hub, { channels: ["a"] }, start)));
    await Promise.all(clients.map((client) => receive(client, 2_000)));
    expect(read.bytes).toBeLessThan(2_000 * 1_100 * 2);
  });

  test("values are read as they are sent, and nothing is kept for clients that do not read", async () => {
    const { log, read } = weighing(makeLog());
    const hub = openHub({ log });
    const [keys, clients] = [20_000, 46];
    await fill(log, keys, (n) => ({ channel: "a", type: "n", data: "x".repeat(1_000), key: `k${n}` }));
    await hub.cursor();
    collectGarbage();
    const before = process.memoryUsage();
    for (let n = 0; n < clients; n++) await follow(hub, { channels: ["a"] });
    for (let n = 0; n < 50; n++) await tick();
    collectGarbage();
    const after = process.memoryUsage();
    const taken = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
    // A copy for each would take 920 MB. A socket's worth of each is in its body.
    expect(taken).toBeLessThan(clients * 0.5e6);
    expect(read.bytes).toBeLessThan(1e6);
    expect(await receive(readers[0] as never, keys)).toBeGreaterThan(keys * 1_000);
  });
});

describe("a snapshot", () => {
  const megabyte = 1_000_000;
  /** Fresh text for each call, as an application makes it from its state. */
  const snapshotOf = (name: string) => ({
    events: Array.from({ length: 20 }, (_, n) => ({ type: "n", data: `${name} ${n} `.padEnd(megabyte, "x") })),
  });

  /** Memory that clients take which are reset and do not read, each with an answer of its own. */
  async function memoryOf(clients: number, nameOf: (client: number) => string): Promise<number> {
    let calls = 0;
    const hub = openHub({ snapshot: () => snapshotOf(nameOf(calls++)) });
    await hub.cursor();
    collectGarbage();
    const before = process.memoryUsage();
    for (let n = 0; n < clients; n++) await follow(hub, { channels: ["a"] }, "gone.1.1");
    // All answers are encoded, and each client has taken the first page, which fills its body.
    const isLeftToAll = ({ clients: left }: { clients: number }) => left === clients;
    while ([...sharedPages.values()].filter(isLeftToAll).length !== 19 || sharedPages.size > 19) await tick();
    collectGarbage();
    const after = process.memoryUsage();
    expect(calls).toBe(clients);
    return after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  }

  test("is kept once for all clients with the same state that do not read it", async () => {
    // Copies took 571 MB. The first page of each is in its body.
    expect(await memoryOf(20, () => "same")).toBeLessThan(150 * megabyte);
    const kept = [...sharedPages.values()].reduce((sum, { text }) => sum + text.length, 0);
    expect(kept).toBeLessThan(21 * megabyte);
    expect(sharedPages.size).toBeLessThanOrEqual(20);
    // The last event has begun.
    expect(await receive(readers[0] as never, 20)).toBeGreaterThan(19 * megabyte);
    await Promise.all(readers.splice(0).map((reader) => reader.cancel()));
    await tick();
    expect(sharedPages.size).toBe(0);
  });

  test("leaves the event loop to others while it is encoded", async () => {
    const rows = Array.from({ length: 200_000 }, (_, n) => ({ type: "row", data: { n, text: "x".repeat(80) } }));
    const hub = openHub({ snapshot: () => ({ events: rows }) });
    const clients = await Promise.all(Array.from({ length: 3 }, () => follow(hub, { channels: ["a"] }, "gone.1.1")));
    for (const client of clients) void drain(client);
    const turn = await meanTurn(() => hub.stats().lagging === 0);
    expect(turn).toBeLessThan((await busyTurn()) * 3);
  });
});

describe("leaves the event loop to others", { timeout: 300_000 }, () => {
  test.each([
    ["200,000 entries under a prefix of 1,000 channels", { channels: ["p/*"] }],
    ["a filter that rejects everything", { channels: ["p/*"], filter: () => false }],
  ])("%s", async (_, options: SubscribeOptions) => {
    const log = memoryLog(large) as CompleteLog;
    const hub = openHub({ log, limits: { maxReplay: 1_000_000 } });
    const start = await hub.cursor();
    await fill(log, 200_000, (n) => ({ channel: `p/${n % 1_000}`, type: "n", data: `${n}` }));
    const clients = await Promise.all(Array.from({ length: 5 }, () => follow(hub, options, start)));
    for (const client of clients) void drain(client);
    const turn = await meanTurn(() => hub.stats().lagging === 0);
    expect(hub.stats()).toMatchObject({ live: 5, gaps: {} });
    expect(turn).toBeLessThan((await busyTurn()) * 3);
  });

  test.each(["old", "forged"])("a cursor that is %s on a prefix of 50,000 channels", async (kind) => {
    const log = memoryLog(large) as CompleteLog;
    const hub = openHub({ log });
    const start = await hub.cursor();
    await fill(log, 50_000, (n) => ({ channel: `u/${n}`, type: "n", data: "x", key: "state" }));
    const lastEventId = kind === "old" ? start : start.replace(/[^.]+$/, "1");
    const clients = await Promise.all(Array.from({ length: 3 }, () => follow(hub, { channels: ["u/*"] }, lastEventId)));
    for (const client of clients) void drain(client);
    const turn = await meanTurn(() => hub.stats().lagging === 0);
    expect(turn).toBeLessThan((await busyTurn()) * 3);
  });

  test("a client that missed little has it long before twenty that missed a lot", async () => {
    const log = memoryLog(large) as CompleteLog;
    const hub = openHub({ log, ring: { maxEvents: 1 } });
    const start = await hub.cursor();
    await fill(log, 100_000, (n) => ({ channel: `p/${n % 100}`, type: "n", data: `${n}` }));
    const late = await hub.cursor();
    await fill(log, 600, (n) => ({ channel: "a", type: "n", data: `${n}` }));
    // Each reads pages of its own.
    const heavy = await Promise.all(
      Array.from({ length: 20 }, (_, n) => follow(hub, { channels: ["p/*", `own/${n}`], filter: () => false }, start)),
    );
    const begin = performance.now();
    const light = await follow(hub, { channels: ["a"] }, late);
    await receive(light, 600);
    const quick = performance.now() - begin;
    while (hub.stats().lagging > 0) await tick();
    expect(quick).toBeLessThan((performance.now() - begin) / 4);
    expect(heavy).toHaveLength(20);
  });
});

async function drain(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (;;) if ((await reader.read()).done) return;
}
