import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { respond } from "../../src/adapters/node.ts";
import { createHub, type EventSource, type Hub } from "../../src/index.ts";
import { Http1Client } from "../support/client.ts";
import { eventually, within } from "../support/deadline.ts";
import { tick } from "../support/web.ts";

const readers = 990;
const stalling = 10;
/** Bytes that fill the system's buffers between a server and a client that does not read. */
const bulk = "x".repeat(64 * 1024);
const ringBytes = 1024 * 1024;
/** A socket's own buffer, and the events of one tick. */
const sinkBytes = 4 * bulk.length;

let hub: Hub;
let server: Server;
const sources: EventSource[] = [];
let clients: Http1Client[] = [];
/** Events so far: small, numbered ones for all, and large ones for the clients that are to stall. */
let published = 0;
let bulks = 0;

afterEach(async () => {
  vi.restoreAllMocks();
  for (const client of clients.splice(0)) client.leave();
  await hub.close();
  server.close();
  await once(server, "close");
});

test(`${stalling} of ${readers + stalling} connections never read, and no other client notices`, async () => {
  await open();
  clients = await Promise.all(Array.from({ length: readers }, () => follow("/news")));
  const late = await Promise.all(Array.from({ length: stalling }, () => follow("/both")));
  clients.push(...late);
  await eventually(
    "all are at the head",
    async () => hub.stats().live,
    (live) => live === clients.length,
  );

  const before = await fastest(clients);
  for (const client of late) client.pause();
  await fill();
  const reading = clients.slice(0, readers);
  const after = await fastest(reading);
  // The best of several rounds each, on a machine that may do other things: a client that waited for the ten would take
  // forever.
  expect(after).toBeLessThan(before * 3);

  for (let n = 0; n < 50; n++) await publishBulk();
  expect(hub.stats()).toMatchObject({ live: readers, lagging: stalling });
  expect(hub.stats().ringBytes).toBeLessThanOrEqual(ringBytes + bulk.length);
  const buffered = sources.reduce((sum, source) => sum + source.bufferedAmount, 0);
  expect(buffered).toBeGreaterThan(0);
  expect(buffered).toBeLessThanOrEqual(stalling * sinkBytes);
  for (const client of reading) expect(numbers(client)).toEqual(upTo(published));

  await passTime();
  expect(reasons(sources.slice(0, readers))).toEqual([null]);
  expect(reasons(sources.slice(readers))).toEqual(["stalled"]);
  await hub.channel("news").dispatchMessage(++published);
  for (const client of late) {
    client.resume();
    await within(20_000, "the rest of a stalled stream", client.rest());
    const again = await follow("/both", client.parser.lastEventId);
    clients.push(again);
    await within(
      20_000,
      "all that was missed",
      again.until(() => numbers(again).at(-1) === published),
    );
    const heard = [...client.parser.events, ...again.parser.events];
    expect(heard.filter(({ type }) => type === "sse:gap" || type === "sse:reset")).toEqual([]);
    expect(numbers(client, again)).toEqual(upTo(published));
    expect(heard.filter(({ data }) => data === bulk)).toHaveLength(bulks);
  }
});

async function open(): Promise<void> {
  hub = createHub({ keepAlive: false, ring: { maxBytes: ringBytes }, limits: { stallTimeout: "60s" } });
  const channels = { "/news": ["news"], "/both": ["news", "bulk"] };
  server = createServer(async (req, res) => {
    const source = await respond(hub, req, res, { channels: channels[req.url as keyof typeof channels] });
    if (source !== null) sources.push(source);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
}

function follow(path: string, lastEventId?: string): Promise<Http1Client> {
  const { port } = server.address() as AddressInfo;
  const headers = lastEventId === undefined ? {} : { "last-event-id": lastEventId };
  return new Http1Client(port, { path, headers }).opened();
}

/** Milliseconds from the first of some events until these clients have the last, in the fastest of several rounds. */
async function fastest(listening: readonly Http1Client[]): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 6; round++) {
    const begin = performance.now();
    for (let n = 0; n < 20; n++) await hub.channel("news").dispatchMessage(++published);
    const all = listening.map((client) => client.until(() => client.parser.events.at(-1)?.data === String(published)));
    await within(30_000, "the events of a round", Promise.all(all));
    times.push(performance.now() - begin);
  }
  return Math.min(...times);
}

/** Publishes until the buffers of all clients that do not read are full. */
async function fill(): Promise<void> {
  while (hub.stats().lagging < stalling) {
    if (bulks === 500) throw new Error("The buffers of the system have no end");
    await publishBulk();
  }
}

async function publishBulk(): Promise<void> {
  bulks++;
  await hub.channel("bulk").dispatch("bulk", bulk);
  // The clients are in this process: they have to get their turns.
  await tick();
}

/** No client has to wait for the deadline of those that do not read. */
async function passTime(): Promise<void> {
  const now = performance.now.bind(performance);
  let passed = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now() + passed);
  const closed = eventually(
    "the stalled are closed",
    async () => {
      // More each time: the first look of the hub after the buffers were filled still sees progress.
      passed += 120_000;
      return hub.stats().stalled;
    },
    (stalled) => stalled === stalling,
    Number.POSITIVE_INFINITY,
  );
  await within(20_000, "the stalled are closed", closed);
}

/** The numbered events, in the order in which they were received. */
function numbers(...connections: readonly Http1Client[]): number[] {
  const events = connections.flatMap(({ parser }) => parser.events);
  return events.filter(({ type }) => type === "message").map(({ data }) => Number(data));
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

function reasons(closed: readonly EventSource[]): (string | null)[] {
  return [...new Set(closed.map(({ closeReason }) => closeReason))];
}
