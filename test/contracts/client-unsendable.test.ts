// Requests that no attempt can send end a stream with an error; those that may succeed later are sent again.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EventSource } from "../../src/client/eventsource.ts";
import { readEventStream, type SubscribeOptions, subscribe } from "../../src/client/index.ts";

const eventStream = { headers: { "content-type": "text/event-stream" } };
let server: Server;
let url: string;
let requests: IncomingMessage[];
/** Sent by the server before it ends each response. */
let text: string;

beforeEach(async () => {
  requests = [];
  text = "retry: 1\ndata: x\n\n";
  server = createServer((req, res) => {
    requests.push(req);
    res.writeHead(200, eventStream.headers).end(text);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(async () => {
  server.closeAllConnections();
  await once(server.close(), "close");
});

const soon = { retry: { initial: 1, max: 1 } } as const;

/** The error that ends a stream. A stream that retries would make the test time out. */
async function endOf(address: string, options: SubscribeOptions = {}) {
  const stream = subscribe(address, { ...soon, ...options });
  stream.on("*", () => {});
  const { reason, error } = await stream.closed;
  expect([reason, error?.failure]).toEqual(["failed", "request"]);
  return error;
}

/** The class says no reason: it fires an error, and is closed. */
function closingOf(address: string, init: object = {}): Promise<void> {
  const source = new EventSource(address, init);
  return new Promise((resolve) => {
    source.onerror = () => source.readyState === EventSource.CLOSED && resolve();
  });
}

describe("an id with a control character, which Node does not send in a header", () => {
  beforeEach(() => {
    text = "retry: 1\nid: \u0001a\ndata: x\n\n";
  });

  test("ends the stream with an error that names it, and the remedy", async () => {
    const error = await endOf(url);
    expect(error?.message).toBe(
      'The request cannot be sent: invalid last-event-id header; the position is "\\u0001a": set lastEventIdIn to "query"',
    );
    expect(requests).toHaveLength(1);
  });

  test("ends the class", async () => {
    await closingOf(url);
    expect(requests).toHaveLength(1);
  });

  test("is sent in the query, where the server reads it there", async () => {
    const stream = subscribe(url, { ...soon, lastEventIdIn: "query" });
    let received = 0;
    await new Promise<void>((resolve) => {
      stream.on("*", () => ++received === 3 && resolve());
    });
    stream.close();
    expect(requests.at(-1)?.url).toBe("/?lastEventId=%01a");
  });

  test("of an application ends the stream before anything is sent", async () => {
    expect((await endOf(url, { after: "\u007f" }))?.message).toContain('the position is "\u007f"');
    await closingOf(url, { lastEventId: "\u001f" });
    expect(requests).toHaveLength(0);
  });
});

describe("a request that the runtime refuses ends the stream", () => {
  const body = () => new Response("x").body as ReadableStream;
  test.each<[string, string, (url: string) => string, SubscribeOptions]>([
    ["a header with a control character", "invalid x-a header", (own) => own, { headers: { "x-a": "\u0001" } }],
    ["a header that it does not support", "expect header", (own) => own, { headers: { expect: "100-continue" } }],
    ["a port that fetch blocks", "bad port", () => "http://127.0.0.1:6000/", {}],
    ["credentials in the address", "credentials", (own) => own.replace("//", "//ada:secret@"), {}],
    ["a body of which it is not known how to send it", "duplex", (own) => own, { body: body() }],
  ])("%s", async (_, reason, addressOf, options) => {
    const error = await endOf(addressOf(url), options);
    expect(error?.message).toMatch(/^The request cannot be sent: .*; correct url, method, headers or body$/s);
    expect(error?.message).toContain(reason);
    if (options.body === undefined) await closingOf(addressOf(url), options);
    expect(requests).toHaveLength(0);
  });

  test.each(["ftp://127.0.0.1/", "about:blank", "file:///etc/hosts"])("the class with the address %s", (address) =>
    closingOf(address),
  );

  test.each(["ftp://127.0.0.1/", "data:text/event-stream,data:%20x%0A%0A"])("url() that gives %s", async (address) => {
    const stream = subscribe(async () => address);
    stream.on("*", () => {});
    expect((await stream.closed).error?.message).toBe(
      `The option url() is "${address}"; it takes an address of http or https`,
    );
  });

  test("a body that has been sent, and cannot be sent again", async () => {
    const sent = body();
    const once: typeof fetch = (address, init) => fetch(address, { ...init, duplex: "half" } as RequestInit);
    expect((await endOf(url, { body: sent, fetch: once }))?.message).toMatch(/cannot be sent: .*(locked|unusable)/);
    expect(requests).toHaveLength(1);
  });
});

test.each([
  ["a peer that refuses connections", () => fetch("http://127.0.0.1:1234/")],
  ["a name that is not known", () => fetch("http://no-such-host.invalid/")],
  ["a failure that a browser words", () => Promise.reject(new TypeError("Failed to fetch"))],
  ["a header of the response that is too large", () => failWith("Headers Overflow Error")],
  ["a function that throws anything", () => Promise.reject(undefined)],
])("after %s the client tries again", async (_, fail) => {
  let attempts = 0;
  const flaky: typeof fetch = (address, init) =>
    ++attempts < 3 ? (fail() as Promise<Response>) : fetch(address, init);
  const stream = subscribe(url, { ...soon, fetch: flaky });
  await stream.opened;
  stream.close();
  expect(attempts).toBe(3);
});

describe("a fetch of the application that gives no stream ends it, with an error that says so", () => {
  const used = new Response("data: x\n\n", eventStream);
  test.each<[string, () => unknown, string]>([
    ["nothing", () => undefined, "without headers"],
    ["a mock", () => ({ ok: true, status: 200 }), "without headers"],
    ["text", () => "data: x\n\n", "without headers"],
    ["a response without a body", () => new Response(null, eventStream), "without an unread"],
    ["a body of another kind", () => ({ status: 200, ...eventHeaders(), body: [] }), "without an unread"],
    ["the same response again", () => used, "without an unread"],
  ])("%s", async (_, give, found) => {
    const given = (async () => give()) as typeof fetch;
    const error = await endOf(url, { fetch: given });
    expect(error?.message).toMatch(/^The option fetch gave .*; return a new Response, as fetch\(\) does$/);
    expect(error?.message).toContain(found);
    await closingOf(url, { fetch: given });
  });

  test.each([undefined, [], { pipe: () => {} }, used.body])(
    "an error status counts, whatever its body: %o",
    async (body) => {
      const given = (async () => ({ status: 404, headers: new Headers(), body })) as unknown as typeof fetch;
      const stream = subscribe(url, { fetch: given });
      stream.on("*", () => {});
      expect((await stream.closed).error).toMatchObject({ failure: "status", status: 404 });
    },
  );

  test.each<[string, () => Response | Promise<Response>]>([
    ["no body", () => new Response(null, eventStream)],
    ["a body that was read", async () => readFully(new Response("data: x\n\n", eventStream))],
    ["a body that something else reads", () => readPartly(new Response("data: x\n\n", eventStream))],
  ])("readEventStream() rejects a response with %s, too", async (_, give) => {
    await expect(readEventStream(await give()).next()).rejects.toThrow("has no unread body");
  });
});

async function readFully(response: Response): Promise<Response> {
  await response.text();
  return response;
}

function readPartly(response: Response): Response {
  response.body?.getReader();
  return response;
}

function eventHeaders() {
  return { headers: new Headers(eventStream.headers) };
}

function failWith(message: string): Promise<never> {
  return Promise.reject(new TypeError("fetch failed", { cause: new Error(message) }));
}
