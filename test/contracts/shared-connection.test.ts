/** Many streams on one connection: what they share is bounded. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createSSE } from "../../src/adapters/express.ts";
import { openEventSource, respond } from "../../src/adapters/node.ts";
import { createHub, type EventSource } from "../../src/index.ts";
import { maxQueuedStreams } from "../../src/sinks/node-pipeline.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** A client that has sent `count` requests at once, and the server's end of its connection. */
async function pipeline(
  count: number,
  route: (req: IncomingMessage, res: ServerResponse) => unknown,
): Promise<{ client: Socket; socket: Socket; received: () => string }> {
  const server = createServer((req, res) => void route(req, res));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  let text = "";
  client.on("data", (bytes) => {
    text += bytes;
  });
  cleanups.push(() => {
    client.destroy();
    const closed = once(server.close(), "close");
    // Node may have paused the socket because of the many requests, and then does not see that the client has left.
    server.closeAllConnections();
    return closed;
  });
  client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(count));
  const [socket] = (await once(server, "connection")) as [Socket];
  return { client, socket, received: () => text };
}

/** Turns of the event loop until `condition` holds; the deadline of the test is that of the wait. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

const isOpen = (source: EventSource) => source.readyState === 1;

describe("requests that a client sends without waiting for the response to the first", () => {
  test("30 of them share one listener, and those that wait are bounded", async () => {
    const sources: EventSource[] = [];
    const { client, socket } = await pipeline(30, (req, res) => sources.push(openEventSource(req, res)));
    await until(() => sources.length === 30);
    // A warning of Node about too many listeners would fail the test.
    expect(socket.listenerCount("close")).toBeLessThan(10);
    expect(sources.filter(isOpen)).toHaveLength(1 + maxQueuedStreams);
    expect(new Set(sources.slice(1 + maxQueuedStreams).map(({ closeReason }) => closeReason))).toEqual(
      new Set(["pipelined"]),
    );
    client.destroy();
    await until(() => !sources.some(isOpen));
    expect(sources[1]?.closeReason).toBe("disconnected");
  });

  test("each gets its stream when those before it have ended, and the rest are told to retry", async () => {
    const sources: EventSource[] = [];
    const { received } = await pipeline(20, (req, res) => {
      const source = openEventSource(req, res);
      source.dispatch("number", sources.push(source));
    });
    await until(() => sources.length === 20);
    for (const source of sources) void source.close();
    await until(() => received().split("HTTP/1.1 200 OK").length === 21);
    const streams = received().split("HTTP/1.1 200 OK").slice(1);
    await until(() => received().endsWith("0\r\n\r\n"));
    const numbers = streams.map((stream) => /data: (\d+)/.exec(stream)?.[1]);
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, n) => (n <= maxQueuedStreams ? String(n + 1) : undefined)));
    for (const stream of streams) expect(stream).toMatch(/retry: \d+/);
  });

  test("a stream that has left the queue makes room for another", async () => {
    const sources: EventSource[] = [];
    const { client } = await pipeline(1 + maxQueuedStreams, (req, res) => sources.push(openEventSource(req, res)));
    await until(() => sources.length === 1 + maxQueuedStreams);
    await sources[0]?.close();
    client.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n".repeat(2));
    await until(() => sources.length === 3 + maxQueuedStreams);
    expect(sources.slice(-2).map(isOpen)).toEqual([true, false]);
  });

  test("3,000 of them take no more slots of a hub than may wait, also while authorize is asked", async () => {
    const asked: (() => void)[] = [];
    const hub = createHub({ authorize: () => new Promise((resolve) => asked.push(() => resolve(true))) });
    cleanups.push(() => hub.close());
    let requests = 0;
    const { client } = await pipeline(3_000, (req, res) => {
      requests++;
      return respond(hub, req, res, { channels: ["a"] });
    });
    await until(() => requests > 100);
    expect(hub.stats().connections).toBe(1 + maxQueuedStreams);
    for (const answer of asked) answer();
    await until(() => hub.stats().live === 1 + maxQueuedStreams);
    client.destroy();
    // Node does not read from a connection for which it has so much to write: the end is noticed by a write that fails.
    while (hub.stats().connections > 0) {
      await hub.channel("a").dispatch("t");
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  test("the same through a manager of connections", async () => {
    const sse = createSSE();
    cleanups.push(() => sse.hub.close());
    let requests = 0;
    await pipeline(3_000, (_req, res) => {
      requests++;
      return sse.attach("ada", res);
    });
    await until(() => requests > 100 && sse.hub.stats().connections === sse.size);
    expect(sse.size).toBe(1 + maxQueuedStreams);
  });

  test("a response that is not a stream has its turn after one that is", async () => {
    const sources: EventSource[] = [];
    let requests = 0;
    const { received } = await pipeline(2, (req, res) => {
      if (++requests === 1) sources.push(openEventSource(req, res));
      else res.end("plain");
    });
    await until(() => requests === 2);
    await sources[0]?.close();
    await until(() => received().endsWith("plain"));
  });
});
