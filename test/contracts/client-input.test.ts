/** Input from an address that routes on Node pass on unchecked: the answer is 400, and the process lives on. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";
import { parse } from "node:querystring";
import { afterEach, describe, expect, test } from "vitest";
import { createSSE } from "../../src/adapters/express.ts";
import { respond } from "../../src/adapters/node.ts";
import { channelsOf, createHub } from "../../src/index.ts";
import { presence } from "../../src/presence/index.ts";
import { type ClientRequest, Http1Client, Http2Client } from "../support/client.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function ask(route: RequestListener, path: string, options: ClientRequest = {}): Promise<Http1Client> {
  const server = createServer(route);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new Http1Client((server.address() as AddressInfo).port, { ...options, path });
  cleanups.push(async () => {
    client.leave();
    await once(server.close(), "close");
  });
  await client.until(() => client.status !== 0);
  return client;
}

const queryOf = (url = "") => new URL(url, "http://localhost").searchParams;

describe("respond() without a catch", () => {
  test.each(["", "%00", "a*b", "x".repeat(300), "%C2%80%00"])("a channel named %j", async (name) => {
    const stages: string[] = [];
    const hub = createHub({ onError: (_error, { stage }) => stages.push(stage) });
    cleanups.push(() => hub.close());
    // An unhandled rejection would fail the test.
    const route: RequestListener = (req, res) =>
      void respond(hub, req, res, { channels: [queryOf(req.url).get("name") ?? ""] });
    const client = await ask(route, `/?name=${name}`);
    expect([client.status, client.headers["content-type"], stages]).toEqual([
      400,
      "text/plain; charset=utf-8",
      ["request"],
    ]);
    expect(client.body.toString()).not.toContain(name === "" ? "{" : decodeURIComponent(name));
  });

  // As Express 4 and node:querystring read them.
  test.each(["from", "key", "label", "member", "rewind", "sender"])("a query with %s twice", async (name) => {
    const stages: string[] = [];
    const hub = createHub({ onError: (_error, { stage }) => stages.push(stage), presence: presence() });
    cleanups.push(() => hub.close());
    const route: RequestListener = (req, res) =>
      void respond(hub, req, res, { channels: ["board"], [name]: parse(`${req.url}`.slice(2))[name] });
    expect((await ask(route, `/?${name}=a&${name}=b`)).status).toBe(400);
    expect(stages).toEqual(["request"]);
  });

  test("a query without its channels", async () => {
    const hub = createHub({ onError: () => {} });
    cleanups.push(() => hub.close());
    const route: RequestListener = (req, res) =>
      void respond(hub, req, res, { channels: parse(`${req.url}`.slice(2)).channel as string[] });
    for (const path of ["/", "/?channel=a"]) expect((await ask(route, path)).status).toBe(400);
  });

  test.each(["abc", "-1", "0.5", "1e400"])("a rewind of %s", async (rewind) => {
    const hub = createHub({ onError: () => {} });
    cleanups.push(() => hub.close());
    const route: RequestListener = (req, res) =>
      void respond(hub, req, res, { channels: ["a"], rewind: Number(queryOf(req.url).get("rewind")) });
    expect((await ask(route, `/?rewind=${rewind}`)).status).toBe(rewind === "1e400" ? 200 : 400);
  });
});

test("a form of more than a megabyte, on HTTP/1.1 and HTTP/2", async () => {
  const hub = createHub();
  cleanups.push(() => hub.close());
  const route = async (req: IncomingMessage | Http2ServerRequest, res: ServerResponse | Http2ServerResponse) =>
    void respond(hub, req, res, await channelsOf(req, { allow: ["a"] }));
  const form = {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: `channel=a&x=${"x".repeat(2 ** 21)}`,
  };
  const client = await ask(route, "/", form);
  expect([client.status, client.headers.connection]).toEqual([413, "close"]);
  const server = createHttp2Server(route);
  cleanups.push(() => server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const second = new Http2Client((server.address() as AddressInfo).port, form);
  cleanups.push(() => second.leave());
  await second.until(() => second.status !== 0);
  expect(second.status).toBe(413);
});

test("attach() without a catch, with a sender twice", async () => {
  const stages: string[] = [];
  const sse = createSSE({ onError: (_error, { stage }) => stages.push(stage) });
  cleanups.push(() => sse.hub.close());
  const route: RequestListener = (req, res) =>
    void sse.attach("ada", res, { sender: parse(`${req.url}`.slice(2)).sender as string });
  expect([(await ask(route, "/?sender=a&sender=b")).status, stages]).toEqual([400, ["request"]]);
});

test("attach() without a catch, with an empty id", async () => {
  const stages: string[] = [];
  const sse = createSSE({ onError: (_error, { stage }) => stages.push(stage) });
  cleanups.push(() => sse.hub.close());
  const client = await ask((req, res) => void sse.attach(queryOf(req.url).get("id") ?? "", res), "/?id=");
  expect([client.status, stages]).toEqual([400, ["attach"]]);
});
