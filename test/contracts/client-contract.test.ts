// A harness that knows clients by the service of contract-service.ts alone: ten capabilities, one test or more for each.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ContractService, implementations } from "../support/contract-service.ts";
import { within } from "../support/deadline.ts";

const deadlineMs = 10_000;

/** A request for a stream, with its body, and its response. */
interface StreamRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly body: string;
}

interface Callback {
  readonly kind: string;
  readonly event?: { type: string; data: string; id: string };
  readonly comment?: string;
}

/** Things that arrive, and a reader that waits for them. */
class Inbox<T> {
  readonly #waiting: ((item: T) => void)[] = [];
  readonly #items: T[] = [];

  push(item: T): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#items.push(item);
    else next(item);
  }

  next(what: string): Promise<T> {
    const [item] = this.#items.splice(0, 1);
    if (item !== undefined) return Promise.resolve(item);
    return within(deadlineMs, what, new Promise((resolve) => this.#waiting.push(resolve)));
  }

  get size(): number {
    return this.#items.length;
  }
}

const notApplicable = Object.assign(() => {}, { each: () => () => {} }) as unknown as typeof test;

describe.each(Object.keys(implementations))("%s", (name) => {
  const capabilities = implementations[name]?.capabilities ?? [];
  let service: ContractService;
  let harness: Server;
  let origin: string;
  let requests: Inbox<StreamRequest>;
  let callbacks: Inbox<Callback>;

  beforeEach(async () => {
    requests = new Inbox();
    callbacks = new Inbox();
    harness = createServer(async (req, res) => {
      let body = "";
      for await (const chunk of req.setEncoding("utf8")) body += chunk;
      if (req.url?.startsWith("/callback/")) {
        callbacks.push(JSON.parse(body));
        res.writeHead(204).end();
      } else requests.push({ req, res, body });
    });
    await once(harness.listen(0, "127.0.0.1"), "listening");
    origin = `http://127.0.0.1:${(harness.address() as AddressInfo).port}`;
    service = await ContractService.start(name);
  });

  afterEach(async () => {
    await service[Symbol.asyncDispose]();
    harness.closeAllConnections();
    await once(harness.close(), "close");
  });

  /** Creates a stream. @returns Its resource in the service. */
  async function create(parameters: object = {}): Promise<string> {
    const urls = { streamUrl: `${origin}/stream`, callbackUrl: `${origin}/callback`, initialDelayMs: 1 };
    const body = JSON.stringify({ ...urls, ...parameters });
    const response = await fetch(service.url, { method: "POST", body });
    expect(response.status).toBe(201);
    return new URL(response.headers.get("location") ?? "", service.url).href;
  }

  const command = async (url: string, body: object): Promise<number> =>
    (await fetch(url, { method: "POST", body: JSON.stringify(body) })).status;

  /** The next request for the stream, answered with a stream that begins with this text. */
  async function serve(text = ""): Promise<StreamRequest> {
    const request = await requests.next("the client asks for the stream");
    request.res.writeHead(200, { "content-type": "text/event-stream" }).write(`retry: 1\n${text}`);
    return request;
  }

  /** The next event; other callbacks are passed over. */
  async function event(): Promise<Callback["event"]> {
    for (;;) {
      const callback = await callbacks.next("the client reports an event");
      if (callback.kind === "event") return callback.event;
    }
  }

  /** The tests of a capability that the client declares. Others do not apply to it. */
  const testOf = (capability: string) => (capabilities.includes(capability) ? test : notApplicable);

  test("declares its capabilities, and a stream can be closed", async () => {
    expect(await (await fetch(service.url)).json()).toEqual({ name, capabilities });
    const url = await create();
    const { res } = await serve("data: a\n\n");
    expect(await event()).toEqual({ type: "message", data: "a", id: "" });
    const closed = once(res, "close");
    expect((await fetch(url, { method: "DELETE" })).status).toBe(204);
    await within(deadlineMs, "the client closes the connection", closed);
    expect((await fetch(url, { method: "DELETE" })).status).toBe(404);
  });

  test("reconnects after the end of a response, with the last event id", async () => {
    await create();
    const first = await serve("id: 7\ndata: a\n\n");
    await event();
    first.res.end();
    const second = await serve("data: b\n\n");
    expect(second.req.headers["last-event-id"]).toBe("7");
    expect(await event()).toEqual({ type: "message", data: "b", id: "7" });
  });

  testOf("bom")("bom: one at the start is ignored", async () => {
    await create();
    await (async () => {
      const { res } = await requests.next("the client asks for the stream");
      res.writeHead(200, { "content-type": "text/event-stream" }).write("\ufeffdata: a\n\n");
    })();
    expect(await event()).toMatchObject({ data: "a" });
  });

  testOf("comments")("comments: each is reported when its line ends", async () => {
    await create();
    const { res } = await serve(": first\n");
    const comment = async () => (await callbacks.next("the client reports a comment")).comment;
    expect(await comment()).toBe("first");
    res.write("data: a\n:second\n");
    expect(await comment()).toBe("second");
    res.write("\n");
    expect(await event()).toMatchObject({ data: "a" });
  });

  testOf("event-type-listeners")("event-type-listeners: a type that is listened to", async () => {
    const url = await create();
    const request = await requests.next("the client asks for the stream");
    expect(await command(url, { command: "listen", listen: { type: "price" } })).toBe(202);
    request.res.writeHead(200, { "content-type": "text/event-stream" });
    request.res.write("event: other\ndata: x\n\nevent: price\nid: 1\ndata: a\n\n");
    expect(await event()).toEqual({ type: "price", data: "a", id: "1" });
  });

  testOf("headers")("headers: sent with each request", async () => {
    await create({ headers: { "x-one": "1", authorization: "Bearer token" } });
    const first = await serve();
    expect(first.req.headers).toMatchObject({
      "x-one": "1",
      authorization: "Bearer token",
      accept: "text/event-stream",
    });
    first.res.end();
    expect((await serve()).req.headers).toMatchObject({ "x-one": "1", authorization: "Bearer token" });
  });

  testOf("last-event-id")("last-event-id: sent with the first request, and replaced by the stream", async () => {
    await create({ lastEventId: "ümläut" });
    const first = await serve();
    expect(Buffer.from(String(first.req.headers["last-event-id"]), "latin1").toString()).toBe("ümläut");
    first.res.write("id: 8\ndata: a\n\n");
    await event();
    first.res.end();
    expect((await serve()).req.headers["last-event-id"]).toBe("8");
  });

  testOf("post").each(["POST", "REPORT"])("post, report: %s with a body, again after a reconnect", async (method) => {
    await create({ method, body: "question", headers: { "content-type": "text/x-question" } });
    for (let n = 0; n < 2; n++) {
      const { req, res, body } = await serve();
      expect([req.method, body, req.headers["content-type"]]).toEqual([method, "question", "text/x-question"]);
      res.end();
    }
  });

  testOf("read-timeout")("read-timeout: an idle connection is replaced, one with comments is not", async () => {
    await create({ readTimeoutMs: 400 });
    const first = await serve();
    const gone = once(first.res, "close");
    for (let n = 0; n < 8; n++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      first.res.write(":\n");
    }
    expect(requests.size).toBe(0);
    await within(deadlineMs, "the client closes the idle connection", gone);
    await serve("data: a\n\n");
    expect(await event()).toMatchObject({ data: "a" });
  });

  testOf("restart")("restart: a new connection in place of the open one, at its position", async () => {
    const url = await create();
    const first = await serve("id: 3\ndata: a\n\n");
    await event();
    const gone = once(first.res, "close");
    expect(await command(url, { command: "restart" })).toBe(202);
    await within(deadlineMs, "the client closes the connection", gone);
    const second = await serve("data: b\n\n");
    expect(second.req.headers["last-event-id"]).toBe("3");
    expect(await event()).toMatchObject({ data: "b" });
    expect(await command(url, { command: "unknown" })).toBe(400);
  });

  testOf("server-directed-shutdown-request")("server-directed-shutdown: 204 ends the stream", async () => {
    const url = await create();
    const first = await serve("data: a\n\n");
    await event();
    first.res.end();
    const { res } = await requests.next("the client reconnects");
    res.writeHead(204).end();
    // Another stream of the same service opens, while this one does not come back.
    await create({ streamUrl: `${origin}/other` });
    for (let n = 0; n < 2; n++) {
      const { req, res: other } = await serve();
      expect(req.url).toBe("/other");
      other.end();
    }
    expect((await fetch(url, { method: "DELETE" })).status).toBe(204);
  });
});

test("all ten capabilities are those of subscribe(); the class has no watchdog and no comments, as the standard has none", () => {
  const { subscribe, EventSource } = implementations;
  expect(subscribe?.capabilities).toHaveLength(10);
  const missing = subscribe?.capabilities.filter((capability) => !EventSource?.capabilities.includes(capability));
  expect(missing).toEqual(["comments", "read-timeout"]);
});
