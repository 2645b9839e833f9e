import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { respond } from "../../src/adapters/node.ts";
import { readEventStream, subscribe } from "../../src/client/index.ts";
import { createHub, type Hub } from "../../src/index.ts";
import { eventually } from "../support/deadline.ts";

const count = 20;

/** A hub whose streams are compressed, and the responses that it has opened. */
async function start(): Promise<{ hub: Hub; url: string; responses: ServerResponse[] }> {
  const hub = createHub({ compress: true, retry: 20 });
  const responses: ServerResponse[] = [];
  const server = createServer((req, res) => {
    responses.push(res);
    void respond(hub, req, res, { channels: ["news"] });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    await hub.close();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  return { hub, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, responses };
}

/** The events of a response, one by one; those of the hub's own left out. */
async function* eventsOf(response: Response): AsyncGenerator<unknown> {
  for await (const { type, data } of readEventStream(response)) if (type === "message") yield data;
}

test("fetch reads each event when it is published, from whenever on, to the end", async () => {
  const { hub, url } = await start();
  const news = hub.channel("news");
  const clients: AsyncGenerator<unknown>[] = [];
  for (let n = 0; n < count; n++) {
    if (n % 5 === 0) {
      const response = await fetch(url);
      expect(response.headers.get("content-encoding")).toBe("gzip");
      clients.push(eventsOf(response));
    }
    await news.dispatchMessage(`number ${n}`);
    for (const client of clients) expect((await client.next()).value).toBe(`number ${n}`);
  }
  // Without the final block, the checksum and the length, fetch would reject.
  await news.end();
  for (const client of clients) expect(await client.next()).toEqual({ done: true, value: undefined });
});

test.each(["gzip", "identity"])(
  "with the encoding %s, a connection that is cut is an error for fetch",
  async (encoding) => {
    const { hub, url, responses } = await start();
    const response = await fetch(url, { headers: { "accept-encoding": encoding } });
    expect(response.headers.get("content-encoding")).toBe(encoding === "gzip" ? "gzip" : null);
    const events = eventsOf(response);
    await hub.channel("news").dispatchMessage("one");
    expect((await events.next()).value).toBe("one");
    responses[0]?.destroy();
    await expect(events.next()).rejects.toThrow();
  },
);

test("subscribe() resumes after a cut, and misses nothing", async () => {
  const { hub, url, responses } = await start();
  const news = hub.channel("news");
  using stream = subscribe(url, { retry: { initial: 5, max: 20 } });
  // A client that is cut before it knows its position is a new one, and begins with what is published after that.
  stream.on("*", () => {});
  await eventually("the client has its position", async () => stream.cursor, Boolean, 10_000);
  const received: unknown[] = [];
  const reading = (async () => {
    for await (const { data } of stream) {
      received.push(data);
      if (received.length === count) return;
    }
  })();
  for (let n = 0; n < count; n++) {
    await news.dispatchMessage(`number ${n}`);
    if (n % 7 === 6) responses.at(-1)?.destroy();
  }
  await reading;
  expect(received).toEqual(Array.from({ length: count }, (_, n) => `number ${n}`));
  expect(responses.length).toBeGreaterThan(1);
});
