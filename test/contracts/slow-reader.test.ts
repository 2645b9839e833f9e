// A slow reader is not a stalled one: progress is measured in bytes, not in events.
import { once } from "node:events";
import { createServer } from "node:http";
import * as http2 from "node:http2";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { respond } from "../../src/adapters/node.ts";
import { createHub } from "../../src/index.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const stallTimeout = 800;
const large = 32 * 1024 ** 2;

/** A client on a plain socket whose stream has an event of 32 MB, and another one after it. */
async function receiveLargeEvent() {
  const hub = createHub({ limits: { stallTimeout, eventSize: "64mb" } });
  const reasons: string[] = [];
  const server = createServer(async (req, res) => {
    const source = await respond(hub, req, res, { channels: ["a"] });
    source?.addEventListener("close", ({ reason }) => reasons.push(reason));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  closing.push(async () => {
    client.destroy();
    await hub.close();
    server.closeAllConnections();
    await once(server.close(), "close");
  });
  client.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  while (hub.stats().live === 0) await wait(5);
  await read(client, 1);
  await hub.channel("a").dispatch("large", "x".repeat(large));
  await wait(1);
  // A subscription can stall only while something waits for it.
  await hub.channel("a").dispatch("after", 1);
  await wait(1);
  expect(hub.stats()).toMatchObject({ live: 0, lagging: 1 });
  return { hub, reasons, client };
}

/** Reads so many pieces of the socket, then stops. Resolves with how many bytes those had. */
async function read(client: Socket, pieces: number): Promise<number> {
  let bytes = 0;
  for (let n = 0; n < pieces; n++) {
    const piece = once(client, "data") as Promise<[Buffer]>;
    client.resume();
    const [{ length }] = await piece;
    client.pause();
    bytes += length;
  }
  return bytes;
}

test("one that reads a large event slowly and steadily is not closed", async () => {
  const { hub, reasons, client } = await receiveLargeEvent();
  const started = performance.now();
  let received = 0;
  while (performance.now() - started < 4 * stallTimeout) {
    received += await read(client, 8);
    await wait(stallTimeout / 10);
  }
  expect(received).toBeLessThan(large);
  expect([reasons, hub.stats().stalled]).toEqual([[], 0]);
  client.on("data", ({ length }) => {
    received += length;
  });
  client.resume();
  while (hub.stats().live === 0) await wait(5);
  while (received < large) await wait(5);
});

test("one that has read some of it and stops is closed", async () => {
  const { reasons, client } = await receiveLargeEvent();
  await read(client, 8);
  while (reasons.length === 0) await wait(5);
  expect(reasons).toEqual(["stalled"]);
});

/** A session of HTTP/2 with a hub; each of its streams has a large event and another one after it. */
async function openSession(streams: number) {
  const hub = createHub({ limits: { stallTimeout, eventSize: "64mb" } });
  const closed: string[] = [];
  const server = http2.createServer(async (req, res) => {
    const source = await respond(hub, req, res, { channels: ["a"] });
    source?.addEventListener("close", ({ reason }) => closed.push(`${req.url} ${reason}`));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  closing.push(async () => {
    session.destroy();
    await hub.close();
    await new Promise((resolve) => server.close(resolve));
  });
  const opened = Array.from({ length: streams }, (_, n) => session.request({ ":path": `/${n}` }));
  for (const stream of opened) stream.on("error", () => {});
  while (hub.stats().live < streams) await wait(5);
  for (const type of ["large", "after"]) await hub.channel("a").dispatch(type, "x".repeat(large));
  return { hub, closed, streams: opened };
}

/** Reads by the piece, as a program does that handles one before it takes the next. */
async function readSteadily(stream: http2.ClientHttp2Stream): Promise<void> {
  const pieces = stream[Symbol.asyncIterator]();
  const started = performance.now();
  while (performance.now() - started < 4 * stallTimeout) {
    await pieces.next();
    await wait(stallTimeout / 20);
  }
}

test("one that reads a large event slowly and steadily over HTTP/2 is not closed, until it stops", async () => {
  const { hub, closed, streams } = await openSession(1);
  await readSteadily(streams[0] as http2.ClientHttp2Stream);
  expect([closed, hub.stats().stalled]).toEqual([[], 0]);
  while (closed.length === 0) await wait(5);
  expect(closed).toEqual(["/0 stalled"]);
});

test("of two on one connection of HTTP/2, the one that does not read is closed, and the other is not", async () => {
  const { hub, closed, streams } = await openSession(2);
  await readSteadily(streams[0] as http2.ClientHttp2Stream);
  expect([closed, hub.stats()]).toMatchObject([["/1 stalled"], { stalled: 1, lagging: 1 }]);
});

test("over HTTP/2, a large event arrives whole, and so does one that the stream ends after", async () => {
  const { hub, streams } = await openSession(1);
  const [stream] = streams as [http2.ClientHttp2Stream];
  let received = 0;
  stream.on("data", ({ length }) => {
    received += length;
  });
  while (received < 2 * large) await wait(5);
  await hub.channel("a").dispatch("last", "y".repeat(large));
  const ended = once(stream, "end");
  await hub.close();
  await ended;
  expect(received).toBeGreaterThan(3 * large);
});
