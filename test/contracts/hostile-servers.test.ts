// Servers that are broken or mean: for each client, memory stays bounded, the error says what happened, and nothing hangs.
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StreamError } from "../../src/client/errors.ts";
import { EventSource } from "../../src/client/eventsource.ts";
import { readEventStream, type SubscribeOptions, subscribe, type TextEvent } from "../../src/client/index.ts";
import { within } from "../support/deadline.ts";

const deadlineMs = 20_000;
const megabyte = 1024 ** 2;

let server: Server;
let url: string;
let answer: (res: ServerResponse, n: number) => unknown;
let requests: number;
const open: { close(): void }[] = [];

beforeEach(async () => {
  requests = 0;
  server = createServer((_, res) => answer(res, ++requests));
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});

afterEach(async () => {
  for (const one of open.splice(0)) one.close();
  server.closeAllConnections();
  await once(server.close(), "close");
});

const head = (res: ServerResponse, headers: Record<string, string> = {}): ServerResponse =>
  res.writeHead(200, { "content-type": "text/event-stream", ...headers });

/** Writes the same bytes again and again, as fast as the client reads. */
async function flood(res: ServerResponse, chunk: Buffer | string, most = Number.POSITIVE_INFINITY): Promise<void> {
  const closed = once(res, "close");
  for (let n = 0; n < most && !res.destroyed; n++) {
    if (res.write(chunk)) continue;
    await new Promise((resolve) => {
      res.once("drain", resolve);
      closed.then(resolve);
    });
  }
}

/** The events that a client has received, and the error of its connection or end. */
interface Outcome {
  readonly events: string[];
  readonly error: StreamError | undefined;
}

/** Each client up to its first error: of a connection that is lost, or of a stream that is over. */
const clients: Record<string, () => Promise<Outcome & { readonly isFinal: boolean }>> = {
  "subscribe()": () =>
    new Promise((resolve) => {
      const events: string[] = [];
      const stream = follow();
      stream.on("*", ({ data }) => events.push(data.slice(0, 20)));
      stream.onStatus(({ state, error }) => {
        if (state === "retrying" || state === "closed") resolve({ events, error, isFinal: state === "closed" });
      });
    }),
  "the class": () =>
    new Promise((resolve) => {
      const events: string[] = [];
      const source = new EventSource(url);
      open.push(source);
      source.onmessage = ({ data }) => events.push(data.slice(0, 20));
      source.onerror = () => resolve({ events, error: undefined, isFinal: source.readyState === EventSource.CLOSED });
    }),
  async "readEventStream()"() {
    const events: string[] = [];
    try {
      for await (const { data } of readEventStream(await fetch(url))) events.push(data.slice(0, 20));
      return { events, error: undefined, isFinal: true };
    } catch (error) {
      return { events, error: error as StreamError, isFinal: true };
    }
  },
};

function follow(options: SubscribeOptions = {}) {
  const stream = subscribe(url, options);
  open.push(stream);
  return stream;
}

describe.each(Object.entries(clients))("%s", (name, receive) => {
  const isClass = name === "the class";
  const outcome = () => within(deadlineMs, `${name} reports an error`, receive());

  test.each(["data: ", ":", "event: ", ""])("an endless line that begins with %j is given up", async (start) => {
    answer = async (res) => {
      head(res).write(`data: before\n\n${start}`);
      await flood(res, "x".repeat(megabyte));
    };
    const before = process.memoryUsage().rss;
    const { events, error, isFinal } = await outcome();
    expect([events, isFinal]).toEqual([["before"], true]);
    if (!isClass)
      expect(error?.message).toMatch(/^An event of the stream is larger than 16777216 bytes; raise maxEventSize/);
    // The limit, what the sockets hold, and what the collector has not collected yet.
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * megabyte);
  });

  test("200 MB without a newline and then the end", async () => {
    answer = async (res) => {
      head(res);
      await flood(res, Buffer.alloc(megabyte, "x"), 200);
      res.end();
    };
    const { events, isFinal } = await outcome();
    expect([events, isFinal]).toEqual([[], true]);
  });

  test("bytes that are not UTF-8 become U+FFFD", async () => {
    answer = (res) =>
      head(res).end(Buffer.from([...Buffer.from("data: a"), 0xff, 0xfe, 0xc3, ...Buffer.from("b\n\n")]));
    expect((await outcome()).events).toEqual(["a\ufffd\ufffd\ufffdb"]);
  });

  test("a compressed body that is cut in the middle", async () => {
    const text = "data: whole\n\n".repeat(20) + Array.from({ length: 5_000 }, (_, n) => `data: ${n}\n\n`).join("");
    const body = gzipSync(text);
    answer = (res) => {
      head(res, { "content-encoding": "gzip" }).write(body.subarray(0, body.length / 2));
      setImmediate(() => res.destroy());
    };
    const { events, error } = await outcome();
    expect(events.length).toBeLessThan(5_020);
    expect(new Set(events).size).toBe(Math.max(0, events.length - 19));
    if (!isClass) expect(error).toMatchObject({ failure: "network" });
  });

  test("HTML with status 200, and the error quotes it", async () => {
    answer = (res) => res.writeHead(200, { "content-type": "text/html" }).end("<h1>Sign in</h1>");
    const { error, isFinal } = await outcome();
    expect(isFinal).toBe(true);
    if (!isClass) {
      expect(error).toMatchObject({ failure: "content-type", status: 200, body: "<h1>Sign in</h1>" });
      expect(error?.message).toContain("text/html");
    }
  });

  test.each([
    ["endless", (res: ServerResponse) => flood(res, "<p>".repeat(10_000))],
    ["byte by byte", (res: ServerResponse) => trickle(res, "<h1>Sign in</h1>".repeat(1_000))],
  ])("HTML that is %s does not keep the client", async (_, send) => {
    answer = (res) => send(res.writeHead(200, { "content-type": "text/html" }));
    const { error, isFinal } = await outcome();
    expect(isFinal).toBe(true);
    if (!isClass) expect(error?.body).toMatch(/^<(?:p|h)/);
  });

  test("a redirect loop is an error of the network", async () => {
    answer = (res, n) => res.writeHead(302, { location: `${url}?${n}` }).end();
    const { error } = await within(
      deadlineMs,
      "the client gives up",
      receive().catch((thrown) => ({ error: thrown })),
    );
    if (name === "subscribe()")
      expect(error?.message).toBe("The connection failed: fetch failed: redirect count exceeded");
    expect(requests).toBeLessThan(50);
  });

  test("a slow trickle is a stream like any other", async () => {
    answer = (res) => trickle(head(res), "id: 1\r\ndata: one\r\n\r\ndata: two\n\n", true);
    expect((await outcome()).events).toEqual(["one", "two"]);
  });

  test("a retry of thousands of years", async () => {
    answer = (res) => head(res).end("retry: 99999999999999\ndata: a\n\n");
    expect((await outcome()).events).toEqual(["a"]);
  });

  test("a million events in a row", async () => {
    const events = 1_000_000;
    answer = (res) => head(res).end("data:x\n\n".repeat(events));
    const result = await outcome();
    expect(result.events.length).toBe(events);
  });
});

test("subscribe() waits ten minutes at most for what a retry asks", async () => {
  answer = (res) => head(res).end("retry: 99999999999999\ndata: a\n\n");
  const stream = follow();
  stream.on("*", () => {});
  const retryAt = await new Promise<number>((resolve) => {
    stream.onStatus((status) => status.retryAt !== undefined && resolve(status.retryAt));
  });
  expect(retryAt - Date.now()).toBeGreaterThan(590_000);
  expect(retryAt - Date.now()).toBeLessThanOrEqual(601_000);
});

test("of a million events in one chunk, no more than those of a slice wait for a slow loop", async () => {
  const chunk = new TextEncoder().encode("data:x\n\n".repeat(1_000_000));
  let pending: Uint8Array[] = [chunk];
  const fetchChunk = async (): Promise<Response> => {
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        for (const piece of pending) controller.enqueue(piece);
        pending = [];
        controller.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  };
  const stream = follow({ fetch: fetchChunk as typeof fetch, retry: false });
  let handed = 0;
  let taken = 0;
  let most = 0;
  stream.on("*", () => {
    handed++;
  });
  for await (const event of stream as AsyncIterable<TextEvent>) {
    taken += event.data.length;
    most = Math.max(most, handed - taken);
  }
  expect(taken).toBe(1_000_000);
  // A slice of 64 kB has 8,192 of these events.
  expect(most).toBeLessThan(10_000);
});

/** Writes byte by byte, each in a packet of its own; then ends, or stays open. */
async function trickle(res: ServerResponse, text: string, ends = false): Promise<void> {
  for (const character of text) {
    if (res.destroyed) return;
    res.write(character);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  if (ends) res.end();
}
