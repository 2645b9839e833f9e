/** Middleware that wraps `writeHead()`, in the versions that many applications still have. */
import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerOptions,
  ServerResponse,
} from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import express from "express";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createSSE, type SSE } from "../../src/adapters/express.ts";
import { openEventSource, respond } from "../../src/adapters/node.ts";
import { createHub, type Hub } from "../../src/index.ts";
import { type ClientRequest, Http1Client } from "../support/client.ts";
import { installPackages } from "../support/example.ts";

// All but Connect, and the response-time of today, depend on on-headers before 1.1.
const fromNpm = {
  compression: "1.7.4",
  connect: "3.7.0",
  "cookie-session": "2.1.0",
  "express-session": "1.18.1",
  morgan: "1.10.0",
  "response-time": "2.3.2",
};
let modules: NodeJS.Require;
beforeAll(async () => {
  modules = createRequire(join(await installPackages(fromNpm), "here.js"));
  expect(modules("on-headers/package.json").version).toMatch(/^1\.0\./);
}, 120_000);

type Middleware = (req: IncomingMessage, res: ServerResponse, next: () => void) => void;

/** The wrappers that may stand before a route, each alone and all together. */
const wrappers: Record<string, () => Middleware[]> = {
  "compression 1.7.4": () => [modules("compression")()],
  "cookie-session 2.1.0": () => [
    modules("cookie-session")({ keys: ["k"] }),
    (req, _res, next) => {
      Object.assign((req as never as { session: object }).session, { user: "ada" });
      next();
    },
  ],
  "express-session 1.18.1": () => [modules("express-session")({ secret: "k", resave: false, saveUninitialized: true })],
  "morgan 1.10.0": () => [modules("morgan")("tiny", { stream: { write() {} } })],
  "response-time 2.3.2": () => [modules("response-time")()],
};
const cases = [
  ...Object.entries(wrappers),
  ["all of them", () => Object.values(wrappers).flatMap((make) => make())],
] as [string, () => Middleware[]][];

let hub: Hub;
let sse: SSE;
let close: () => Promise<unknown>;
beforeEach(() => {
  sse = createSSE();
  hub = createHub({ authorize: ({ channel }) => channel === "a" });
});
afterEach(async () => {
  await hub.close();
  await sse.hub.close();
  await close();
});

async function serve(
  listener: RequestListener,
  options: ServerOptions = {},
): Promise<(request: ClientRequest) => Promise<Http1Client>> {
  const server = createServer(options, listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const clients: Http1Client[] = [];
  close = () => {
    for (const client of clients) client.leave();
    return once(server.close(), "close");
  };
  return async (request) => {
    const client = new Http1Client(port, request);
    clients.push(client);
    await client.until(() => client.status !== 0);
    return client;
  };
}

const route: Middleware = (req, res) => {
  if (req.url === "/source") openEventSource(req, res, { cors: true }).dispatch("t", 1);
  else if (req.url === "/attach") sse.attach("ada", res as never);
  else void respond(hub, req, res, { channels: [req.url === "/hub" ? "a" : "secret"], cors: true });
};

/** Names that can only come from a header that was taken apart. */
const expectWhole = ({ headers }: Http1Client) =>
  expect(Object.keys(headers).filter((name) => name.length < 3 || /^\d/.test(name))).toEqual([]);

describe.each([
  ["Connect", (middleware: Middleware[]) => middleware.reduce((app, one) => app.use(one), modules("connect")())],
  [
    "Express",
    (middleware: Middleware[]) =>
      express()
        .disable("x-powered-by")
        .use(...(middleware as never[])),
  ],
  ["Express with a header of its own", (middleware: Middleware[]) => express().use(...(middleware as never[]))],
])("on %s", (_, make) => {
  test.each(cases)("%s passes the header on as it is", async (_name, wrap) => {
    const get = await serve(make([...wrap(), route]));
    for (const path of ["/source", "/hub", "/attach"]) {
      const client = await get({ path, headers: { "accept-encoding": "identity" } });
      expectWhole(client);
      expect([client.status, client.headers["content-type"]]).toEqual([200, "text/event-stream"]);
      expect(client.headers).toMatchObject({ "cache-control": "no-cache, no-transform", "x-accel-buffering": "no" });
      if (path === "/source") expect((await client.next()).data).toBe("1");
    }
    const forbidden = await get({ path: "/secret" });
    const preflight = await get({ path: "/source", method: "OPTIONS", headers: { origin: "https://a.example" } });
    const wrong = await get({ path: "/hub", method: "PUT" });
    expect([forbidden.status, preflight.status, wrong.status]).toEqual([403, 204, 405]);
    for (const client of [forbidden, preflight, wrong]) {
      expectWhole(client);
      expect(client.headers["access-control-allow-origin"]).toBe("*");
    }
    expect(preflight.headers["access-control-allow-headers"]).toContain("Last-Event-ID");
    expect(wrong.headers.allow).toContain("GET");
  });
});

test("headers that the wrapper adds reach the client: cookies of a session, a time", async () => {
  const all = ["cookie-session 2.1.0", "express-session 1.18.1", "response-time 2.3.2"].flatMap((name) =>
    (wrappers[name] as () => Middleware[])(),
  );
  const get = await serve(express().use(...(all as never[]), route as never));
  const { headers } = await get({ path: "/hub" });
  expect(headers["set-cookie"]).toMatch(/session=.*session\.sig=.*/);
  expect(headers).toHaveProperty("x-response-time");
});

test.each(["own property", "class"])(
  "a writeHead() of one's own, as %s, is called in the form that all know",
  async (how) => {
    const calls: unknown[][] = [];
    class Watched extends ServerResponse {
      override writeHead(...args: unknown[]): this {
        calls.push(args);
        return super.writeHead(...(args as [number]));
      }
    }
    const options = how === "class" ? { ServerResponse: Watched as typeof ServerResponse } : {};
    const get = await serve((req, res) => {
      if (how !== "class") res.writeHead = Watched.prototype.writeHead;
      route(req, res, () => {});
    }, options);
    await get({ path: "/source" });
    expect(calls).toEqual([[200, expect.objectContaining({ "content-type": "text/event-stream" })]]);
  },
);
