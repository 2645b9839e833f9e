/** The request that `authorize` sees on Node, compared with a `Headers` made from the lines that the client sent. */
import { once } from "node:events";
import { createServer, type IncomingMessage, ServerResponse } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect, type Server } from "node:net";
import express from "express";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NodeRequest, type NodeResponse, respond } from "../../src/adapters/node.ts";
import { createHub, type Hub, type RequestLike } from "../../src/index.ts";
import fc from "../support/properties.ts";

type Line = readonly [name: string, value: string];

let hub: Hub;
let seen: RequestLike[];
let server: Server;
let session: ClientHttp2Session | undefined;

beforeEach(() => {
  seen = [];
  hub = createHub({
    authorize: ({ request }) => {
      seen.push(request);
      return false;
    },
  });
});
afterEach(async () => {
  session?.destroy();
  session = undefined;
  server.close();
  await once(server, "close");
  await hub.close();
});

const route = (req: NodeRequest, res: NodeResponse) => void respond(hub, req, res, { channels: ["a"] });

async function listen(made: Server): Promise<number> {
  server = made;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** The headers that the server saw of a request with these header lines, over HTTP/1.1. */
async function viewOver1(port: number, lines: readonly Line[]): Promise<Headers> {
  const socket = connect(port, "127.0.0.1");
  const text = [["connection", "close"], ...lines].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`GET /events HTTP/1.1\r\n${text}\r\n`, "latin1");
  await once(socket.resume(), "close");
  return seen.pop()?.headers as Headers;
}

/** The same over HTTP/2, where names are in lower case and the host is a pseudo-header. */
async function viewOver2(port: number, lines: readonly Line[]): Promise<Headers> {
  session ??= connectHttp2(`http://127.0.0.1:${port}`);
  const headers: Record<string, string | string[]> = Object.assign(Object.create(null), { ":path": "/events" });
  for (const [name, value] of lines) {
    const key = name.toLowerCase();
    const before = headers[key];
    headers[key] = before === undefined ? value : [before, value].flat();
  }
  const stream = session.request(headers);
  await once(stream.resume(), "close");
  return seen.pop()?.headers as Headers;
}

/** Names that Node treats each in its own way, and names that mean something to objects. */
const oneLineOnly = ["Authorization", "User-Agent", "Referer", "ETag", "If-Modified-Since", "From"];
const anyNumber = [
  "Accept",
  "Cookie",
  "Set-Cookie",
  "X-Forwarded-For",
  "Last-Event-ID",
  "constructor",
  "toString",
  "hasOwnProperty",
  "x-own",
  "X.~!#$%&'*+-^_`|",
];
/** Without whitespace at an end, which is removed on the way. */
const valueFrom = (letters: string) =>
  fc.string({ unit: fc.constantFrom(...letters), maxLength: 8 }).map((text) => text.trim());
const linesOf = (names: readonly string[], letters: string) =>
  fc.array(fc.tuple(fc.constantFrom(...names), valueFrom(letters)), { maxLength: 12 });
const ascii = "abc ,;=0/*";

function sameAs(view: Headers, lines: readonly Line[], ignored: readonly string[]): void {
  const real = new Headers(lines.map(([name, text]): [string, string] => [name, text]));
  const own = ([name]: [string, string]) => !ignored.includes(name);
  expect([...view].filter(own)).toEqual([...real]);
  expect([...view.entries()]).toEqual([...view]);
  expect([...view.keys()]).toEqual([...view].map(([name]) => name));
  expect([...view.values()]).toEqual([...view].map(([, text]) => text));
  expect(view.getSetCookie()).toEqual(real.getSetCookie());
  const heard: [string, string][] = [];
  // biome-ignore lint/suspicious/useIterableCallbackReturn: the method under test
  view.forEach((text, name) => heard.push([name, text]));
  expect(heard).toEqual([...view]);
  const names = [...oneLineOnly, ...anyNumber, "__proto__", "valueOf", "isPrototypeOf", "x-missing", "X-MISSING"];
  for (const name of [...names, ...names.map((one) => one.toUpperCase())]) {
    expect([name, view.get(name), view.has(name)]).toEqual([name, real.get(name), real.has(name)]);
  }
}

describe("headers on node:http", () => {
  test("are those of a Headers made from the same lines", async () => {
    const port = await listen(createServer(route));
    const names = [...oneLineOnly, ...anyNumber, "__proto__"];
    await fc.assert(
      fc.asyncProperty(linesOf(names, `${ascii}\xe9\xff`), async (lines) => {
        sameAs(await viewOver1(port, [["host", "localhost"], ...lines]), lines, ["connection", "host"]);
      }),
      { numRuns: 60 },
    );
  });

  test("the same through Express, whose request is another object", async () => {
    const port = await listen(createServer(express().use("/", route as never)));
    const lines: Line[] = [
      ["AUTHORIZATION", "Bearer 1"],
      ["X-List", "a"],
      ["x-list", "b"],
    ];
    sameAs(await viewOver1(port, [["host", "localhost"], ...lines]), lines, ["connection", "host"]);
  });

  test("that middleware has set, replaced or removed count, not those that the client sent", async () => {
    const port = await listen(
      createServer((req, res) => {
        req.headers.authorization = "Bearer of a cookie";
        req.headers["x-count"] = 5 as never;
        delete req.headers["x-secret"];
        route(req, res);
      }),
    );
    const lines: Line[] = [
      ["host", "localhost"],
      ["authorization", "1"],
      ["authorization", "2"],
      ["x-secret", "1"],
    ];
    const view = await viewOver1(port, lines);
    expect(view.get("Authorization")).toBe("Bearer of a cookie");
    expect(view.get("x-count")).toBe("5");
    expect([view.get("x-secret"), view.has("x-secret")]).toEqual([null, false]);
  });

  test("of a request that a test made up, without raw lines", async () => {
    await listen(createServer());
    const req = { headers: { Authorization: "no", authorization: "yes" }, method: "GET" } as unknown as IncomingMessage;
    await respond(hub, req, new ServerResponse(req), { channels: ["a"] });
    expect(seen.pop()?.headers.get("AUTHORIZATION")).toBe("yes");
  });

  test.each(["", " ", "a b", "a:b", ":authority", "é", "日", "a\n"])(
    "the name %j is refused, as there",
    async (name) => {
      const port = await listen(createServer(route));
      const view = await viewOver1(port, [["host", "localhost"]]);
      expect(() => new Headers().get(name)).toThrow(TypeError);
      expect(() => view.get(name)).toThrow(TypeError);
      expect(() => view.has(name)).toThrow(TypeError);
    },
  );
});

describe("headers on node:http2", () => {
  test("are those of a Headers made from the same lines, with the host and without pseudo-headers", async () => {
    const port = await listen(createHttp2Server(route));
    await fc.assert(
      fc.asyncProperty(linesOf(anyNumber, ascii), linesOf(["Authorization"], ascii), async (lines, [one]) => {
        const all = one === undefined ? lines : [...lines, one];
        sameAs(await viewOver2(port, all), all, ["host"]);
      }),
      { numRuns: 60 },
    );
    const view = await viewOver2(port, [["x-own", "1"]]);
    expect(view.get("Host")).toBe(`127.0.0.1:${port}`);
    expect([...view]).toEqual([
      ["host", `127.0.0.1:${port}`],
      ["x-own", "1"],
    ]);
    expect(() => view.get(":path")).toThrow(TypeError);
  });
});
