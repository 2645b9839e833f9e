// The class of sourcecast/eventsource against a real server: the standard's rules, one by one.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EventSource, type EventSourceInit } from "../../src/client/eventsource.ts";

let server: Server;
let origin: string;
const requests: IncomingMessage[] = [];
let answer: (res: ServerResponse, req: IncomingMessage, n: number) => unknown;
const sources: EventSource[] = [];

beforeEach(async () => {
  requests.length = 0;
  server = createServer((req, res) => answer(res, req, requests.push(req)));
  await once(server.listen(0, "127.0.0.1"), "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  for (const source of sources.splice(0)) source.close();
  server.closeAllConnections();
  await once(server.close(), "close");
});

function open(init?: EventSourceInit, path = "/"): EventSource {
  const source = new EventSource(origin + path, init);
  sources.push(source);
  return source;
}

const stream = (res: ServerResponse, text = ""): void => {
  res.writeHead(200, { "content-type": "text/event-stream" }).write(`retry: 1\n${text}`);
};

/** The next event of a type. */
async function next(source: EventSource, type: string): Promise<MessageEvent> {
  const [event] = await once(source, type);
  return event as MessageEvent;
}

test("opens, receives messages with origin and last event id, and closes", async () => {
  answer = (res) => stream(res, "id: 7\nevent: price\ndata: a\ndata: b\n\ndata: plain\n\n");
  const source = open();
  expect([source.readyState, source.url, source.withCredentials]).toEqual([0, `${origin}/`, false]);
  const price = next(source, "price");
  const message = next(source, "message");
  await next(source, "open");
  expect(source.readyState).toBe(EventSource.OPEN);
  expect(await price).toMatchObject({ type: "price", data: "a\nb", lastEventId: "7", origin });
  expect(await message).toMatchObject({ type: "message", data: "plain", lastEventId: "7" });
  source.close();
  expect(source.readyState).toBe(EventSource.CLOSED);
  const { headers } = requests[0] as IncomingMessage;
  expect(headers).toMatchObject({ accept: "text/event-stream", "cache-control": "no-cache" });
});

test("the constants are on the class and on each instance", () => {
  answer = (res) => stream(res);
  const source = open();
  expect([EventSource.CONNECTING, EventSource.OPEN, EventSource.CLOSED]).toEqual([0, 1, 2]);
  expect([source.CONNECTING, source.OPEN, source.CLOSED]).toEqual([0, 1, 2]);
});

test("event handler attributes keep their place, and are replaced and removed", async () => {
  let send: () => void = () => {};
  answer = (res) => {
    stream(res);
    send = () => void res.write("data: x\n\n");
  };
  const source = open();
  const heard: string[] = [];
  source.onmessage = () => heard.push("first");
  source.addEventListener("message", () => heard.push("listener"));
  source.onmessage = () => heard.push("second");
  await next(source, "open");
  send();
  await next(source, "message");
  expect(heard).toEqual(["second", "listener"]);
  source.onmessage = null;
  send();
  await next(source, "message");
  expect(heard).toEqual(["second", "listener", "listener"]);
});

test("the end of a response reconnects after the server's time, with the last event id as UTF-8", async () => {
  answer = (res, _, n) => {
    stream(res, n === 1 ? "id: grüße\ndata: one\n\n" : "data: two\n\n");
    if (n === 1) res.end();
  };
  const source = open();
  const states: number[] = [];
  source.onerror = () => states.push(source.readyState);
  await next(source, "message");
  await next(source, "error");
  expect((await next(source, "message")).data).toBe("two");
  expect(states).toEqual([EventSource.CONNECTING]);
  expect(Buffer.from(requests[1]?.headers["last-event-id"] as string, "latin1").toString()).toBe("grüße");
});

test("a connection that is cut reconnects, and drops the unfinished event", async () => {
  answer = (res, _, n) => {
    stream(res, n === 1 ? "data: one\n\nid: 9\ndata: unfinished" : "data: two\n\n");
    if (n === 1) setTimeout(() => res.destroy(), 20);
  };
  const source = open();
  const data: unknown[] = [];
  source.onmessage = (event) => data.push(event.data);
  await next(source, "error");
  await next(source, "message");
  expect(data).toEqual(["one", "two"]);
  expect(requests[1]?.headers["last-event-id"]).toBeUndefined();
});

describe("is final", () => {
  test.each([201, 202, 204, 205, 206, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504])(
    "status %i",
    async (status) => {
      answer = (res) => res.writeHead(status, { "content-type": "text/event-stream" }).end();
      const source = open();
      await next(source, "error");
      expect([source.readyState, requests.length]).toEqual([EventSource.CLOSED, 1]);
    },
  );

  test.each(["text/html", "text/event-stream-x", "application/json", undefined])("content type %s", async (type) => {
    answer = (res) => res.writeHead(200, type === undefined ? {} : { "content-type": type }).end("data: x\n\n");
    const source = open();
    await next(source, "error");
    expect([source.readyState, requests.length]).toEqual([EventSource.CLOSED, 1]);
  });
});

test.each(["text/event-stream", "text/event-stream;charset=utf-8", "TEXT/EVENT-STREAM ; x=y"])(
  "the content type %s is right",
  async (type) => {
    answer = (res) => res.writeHead(200, { "content-type": type }).write("data: x\n\n");
    expect((await next(open(), "message")).data).toBe("x");
  },
);

test("redirects are followed, and give the origin; a reconnect asks the original address", async () => {
  answer = (res, { url }, n) => {
    if (url === "/") res.writeHead(307, { location: `${origin.replace("127.0.0.1", "localhost")}/target` }).end();
    else {
      stream(res, "data: x\n\n");
      if (n <= 2) res.end();
    }
  };
  const source = open();
  expect((await next(source, "message")).origin).toBe(origin.replace("127.0.0.1", "localhost"));
  await next(source, "message");
  expect(requests.map(({ url }) => url)).toEqual(["/", "/target", "/", "/target"]);
});

test("headers, method, body and a first last event id are sent, with every request", async () => {
  const bodies: string[] = [];
  answer = async (res, req) => {
    let body = "";
    for await (const chunk of req) body += chunk;
    bodies.push(body);
    stream(res, "data: x\n\n");
    if (bodies.length === 1) res.end();
  };
  let n = 0;
  const source = open({ headers: () => ({ "x-n": String(++n) }), body: { question: "?" }, lastEventId: "41" });
  await next(source, "message");
  await next(source, "message");
  expect(requests.map(({ method, headers }) => [method, headers["x-n"], headers["last-event-id"]])).toEqual([
    ["POST", "1", "41"],
    ["POST", "2", "41"],
  ]);
  expect(bodies).toEqual(['{"question":"?"}', '{"question":"?"}']);
});

test("after close() no event fires, not even for bytes that have arrived", async () => {
  answer = (res) => stream(res, "data: one\n\ndata: two\n\n");
  const source = open();
  const heard: unknown[] = [];
  for (const type of ["open", "error", "message"]) source.addEventListener(type, ({ type }) => heard.push(type));
  source.onmessage = () => source.close();
  await next(source, "message");
  server.closeAllConnections();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(heard).toEqual(["open", "message"]);
});

test("an address that is not valid is a SyntaxError at once, which names it", () => {
  for (const url of ["/relative", "http://:bad", ""]) {
    const message = `The address is ${JSON.stringify(url)}; pass an absolute one, or a relative one in a document`;
    expect(() => new EventSource(url)).toThrow(expect.objectContaining({ name: "SyntaxError", message }));
  }
  expect(() => new (EventSource as unknown as new () => unknown)()).toThrow(
    expect.objectContaining({ code: "ERR_SSE_ARGUMENT" }),
  );
});

test("options that are unknown, or have values that are not allowed, are refused by name before anything is sent", () => {
  const refused = (options: unknown, message: string): void =>
    expect(() => new EventSource("http://localhost/", options as never)).toThrow(
      expect.objectContaining({ code: "ERR_SSE_OPTION", message: expect.stringContaining(message) }),
    );
  refused({ header: {} }, "The option header of EventSource is unknown; use one of withCredentials, headers, ");
  refused({ constructor: 1 }, "The option constructor of EventSource is unknown");
  refused({ lastEventId: 7 }, "The option lastEventId is 7; it takes a string");
  refused({ lastEventId: "7\n" }, "The option lastEventId is ");
  refused({ withCredentials: "yes" }, "The option withCredentials is ");
  refused({ method: "P OST" }, "The option method is ");
  refused({ method: "GET", body: "x" }, "The option method is ");
  refused({ headers: { "not a name": "x" } }, "The option headers is ");
  refused("headers", "an object with withCredentials, headers, ");
  new EventSource("http://localhost/", null as never).close();
});

test("headers() that can never be sent end the stream, and are not asked for again", async () => {
  let calls = 0;
  const headers = () => {
    calls++;
    return { "not a name": "x" };
  };
  const source = new EventSource("http://localhost/", { headers });
  await new Promise((resolve) => source.addEventListener("error", resolve));
  expect([source.readyState, calls]).toEqual([EventSource.CLOSED, 1]);
});
