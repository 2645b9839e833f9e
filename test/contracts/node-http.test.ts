import { once } from "node:events";
import { createServer, type Server as HttpServer, type IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type NodeSourceOptions, openEventSource } from "../../src/adapters/node.ts";
import { type EventSource, EventSourceSet } from "../../src/index.ts";
import { type ClientRequest, Http1Client, requestText } from "../support/client.ts";
import { expectConsole } from "../support/console.ts";

const kilobyte = "x".repeat(1_024);

let clients: Http1Client[] = [];
let servers: Server[] = [];
afterEach(async () => {
  for (const client of clients) client.leave();
  const closed = servers.map((server) => once(server.close(), "close"));
  clients = [];
  servers = [];
  await Promise.all(closed);
});

/** A server that is closed at the end of the test, and the first request to it. */
async function request(
  handle: (req: IncomingMessage, res: ServerResponse) => void,
  request?: ClientRequest,
  Response: typeof ServerResponse = ServerResponse,
): Promise<{ server: Server; client: Http1Client }> {
  const server = createServer({ ServerResponse: Response as never }, handle);
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new Http1Client((server.address() as AddressInfo).port, request);
  clients.push(client);
  return { server, client };
}

interface Opened {
  server: Server;
  client: Http1Client;
  source: EventSource;
  req: IncomingMessage;
  res: ServerResponse;
  socket: Socket;
}

/** One request, the source that `route` makes of it, and its client when the first bytes are there. */
async function open(
  route: (req: IncomingMessage, res: ServerResponse) => EventSource = (req, res) => openEventSource(req, res),
  ...rest: [ClientRequest?, typeof ServerResponse?]
): Promise<Opened> {
  const routed = Promise.withResolvers<Omit<Opened, "client" | "server">>();
  const ends = await request(
    (req, res) => {
      try {
        routed.resolve({ source: route(req, res), req, res, socket: req.socket });
      } catch (error) {
        routed.reject(error);
      }
    },
    ...rest,
  );
  const opened = await routed.promise;
  await ends.client.opened();
  return { ...ends, ...opened };
}

const withOptions = (options?: NodeSourceOptions) => (req: IncomingMessage, res: ServerResponse) =>
  openEventSource(req, res, options);

/** Counts what goes to the socket's own write, below Node's stream. */
function countWrites(socket: Socket) {
  const internals = socket as unknown as Record<"_write" | "_writev", (...args: unknown[]) => void>;
  return { one: vi.spyOn(internals, "_write"), many: vi.spyOn(internals, "_writev") };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("from dispatch to the socket", () => {
  test("several events of one tick leave in one write and one chunk", async () => {
    const { client, source, socket } = await open();
    const { one, many } = countWrites(socket);
    for (let n = 0; n < 100; n++) source.dispatch("t", n);
    await client.until(() => client.parser.events.length === 100);
    expect([one.mock.calls.length, many.mock.calls.length]).toEqual([1, 0]);
    expect(client.pieces).toHaveLength(2);
  });

  test("header, opening and the events of the first tick leave together", async () => {
    const arrived: number[] = [];
    const { client } = await request((req, res) => {
      const source = openEventSource(req, res);
      source.dispatch("t", 1);
      source.dispatch("t", 2);
    });
    client.stream.on("data", (bytes) => arrived.push(bytes.length));
    await client.until(() => client.parser.events.length === 2);
    expect(arrived).toHaveLength(1);
    expect(client.pieces).toHaveLength(1);
  });

  test("events of different ticks leave each in its own write", async () => {
    const { client, source, socket } = await open();
    const { one } = countWrites(socket);
    for (let n = 0; n < 5; n++) {
      source.dispatch("t", n);
      await client.next();
    }
    expect(one).toHaveBeenCalledTimes(5);
  });

  test("there are at most two calls and no stream: the response is passed by", async () => {
    const { client, source, res, socket } = await open();
    await turn();
    const stacks: string[] = [];
    const internals = socket as unknown as { _write: (...args: unknown[]) => void };
    const { _write } = internals;
    internals._write = function (...args) {
      stacks.push(new Error("trace").stack ?? "");
      return _write.apply(this, args);
    };
    const passed = vi.spyOn(res as unknown as { _send(): void }, "_send");
    source.dispatch("t", 1);
    await client.next();
    expect(stacks).toHaveLength(1);
    expect(stacks[0]).toContain("/src/sinks/");
    expect(stacks[0]).not.toMatch(/OutgoingMessage|_http_|readable|pipeline|transform/i);
    expect(passed).not.toHaveBeenCalled();
  });

  test("the same bytes leave with fastWrite: false, through write() of the response", async () => {
    const opened = await open(withOptions({ fastWrite: false, retry: 1_000 }));
    const passed = vi.spyOn(opened.res, "write");
    opened.source.dispatch("é", kilobyte);
    await opened.client.next();
    expect(passed).toHaveBeenCalledOnce();
    await opened.source.close();
    expect(await opened.client.rest()).toBe("end");
    expect(opened.client.body.toString()).toBe(`: keep-alive 30000\nretry: 1000\nevent: é\ndata: ${kilobyte}\n\n`);
  });

  test("a burst of one tick that is larger than the limit does not overflow a healthy client", async () => {
    for (const limit of [10_000, 65_536, 100_000]) {
      const { client, source } = await open(withOptions({ maxBufferedBytes: limit }));
      const count = Math.ceil((limit * 5) / 1_024);
      for (let n = 0; n < count; n++) expect(source.dispatch("t", kilobyte)).toBe(true);
      await client.until(() => client.parser.events.length === count);
      expect(source.readyState).toBe(1);
    }
  });

  test("a large event leaves in one chunk", async () => {
    const { client, source } = await open();
    const data = kilobyte.repeat(2_000);
    source.dispatch("t", data);
    expect((await client.next()).data).toBe(data);
    expect(client.pieces).toHaveLength(2);
  });
});

describe("a middleware that stands before the response", () => {
  test("its write() is respected, whether it came before the source or after", async () => {
    const seen: string[] = [];
    const wrap = (res: ServerResponse) => {
      const { write } = res;
      res.write = function (this: ServerResponse, chunk: Uint8Array, ...rest: unknown[]) {
        seen.push(Buffer.from(chunk).toString());
        return (write as (...args: unknown[]) => boolean).call(this, chunk, ...rest);
      } as typeof write;
    };
    const before = await open((req, res) => {
      wrap(res);
      return openEventSource(req, res);
    });
    before.source.dispatch("t", "before");
    await before.client.next();
    expect(seen.join("")).toContain("retry: ");
    expect(seen.join("")).toContain("data: before");

    const after = await open();
    wrap(after.res);
    after.source.dispatch("t", "after");
    await after.client.next();
    expect(seen.at(-1)).toContain("data: after");
  });

  test("a write() of the response's class is respected", async () => {
    const seen: unknown[] = [];
    class Watched extends ServerResponse {
      override write(...args: unknown[]): boolean {
        seen.push(args[0]);
        return (super.write as (...args: unknown[]) => boolean)(...args);
      }
    }
    const { client, source } = await open(undefined, {}, Watched as typeof ServerResponse);
    source.dispatch("t", 1);
    await client.next();
    expect(seen).toHaveLength(2);
  });

  test("its flush() is called for each write", async () => {
    const flush = vi.fn();
    const { client, source } = await open((req, res) => {
      Object.assign(res, { flush });
      return openEventSource(req, res, { fastWrite: false });
    });
    const before = flush.mock.calls.length;
    expect(before).toBeGreaterThan(0);
    source.dispatch("t", 1);
    await client.next();
    expect(flush.mock.calls.length).toBe(before + 1);
  });

  test.each(["at an event", "at the end"])(
    "a write() that throws %s counts as a disconnect, and affects no other client",
    async (when) => {
      const { source, res } = await open();
      const reasons: string[] = [];
      source.addEventListener("close", (event) => reasons.push(event.reason));
      res.write = () => {
        throw new Error("middleware");
      };
      source.dispatch("t", 1);
      if (when === "at an event") await vi.waitUntil(() => source.readyState === 2);
      await source.close("mine");
      expect(reasons).toEqual([when === "at an event" ? "disconnected" : "mine"]);
    },
  );

  test("a member of a set whose write() throws does not affect the others", async () => {
    const [before, broken, after] = [await open(), await open(), await open()];
    broken.res.write = () => {
      throw new Error("middleware");
    };
    const set = new EventSourceSet([before.source, broken.source, after.source]);
    set.dispatch("t", 1);
    for (const { client } of [before, after]) expect((await client.next()).data).toBe("1");
    await vi.waitUntil(() => set.size === 2);
    expect(set.dispatch("t", 2)).toBe(2);
  });

  test("bytes that the application wrote itself before stay before", async () => {
    const { client, source, res } = await open();
    res.write(": from the application\n");
    source.dispatch("t", 1);
    await client.next();
    expect(client.body.toString()).toMatch(/: from the application\nevent: t\ndata: 1\n\n$/);
  });
});

describe("rule 18: headers that were set on the response before", () => {
  const preset = (headers: Record<string, string | number | string[]>, options?: NodeSourceOptions) =>
    open((req, res) => {
      for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
      return openEventSource(req, res, options);
    });

  test("are kept, also over the defaults", async () => {
    const { client } = await preset({
      "X-Powered-By": "us",
      "Cache-Control": "private",
      "X-Count": 5,
      "Set-Cookie": ["a=1", "b=2"],
    });
    expect(client.headers).toMatchObject({
      "x-powered-by": "us",
      "cache-control": "private",
      "x-count": "5",
      "set-cookie": "a=1, b=2",
    });
  });

  test("give way to the options, and can be removed by them", async () => {
    const { client } = await preset(
      { "X-Powered-By": "us", "Cache-Control": "private", Link: ["<a>", "<b>"] },
      { headers: { "x-powered-by": null, "cache-control": "no-store" } },
    );
    expect(client.headers).not.toHaveProperty("x-powered-by");
    expect(client.headers).toMatchObject({ "cache-control": "no-store", link: "<a>, <b>" });
  });

  test("of another content type or a length are not kept", async () => {
    const { client } = await preset({ "Content-Type": "text/html", "Content-Length": 5 });
    expect(client.headers).toMatchObject({ "content-type": "text/event-stream" });
    expect(client.headers).not.toHaveProperty("content-length");
  });

  test("of an event stream with a charset are kept", async () => {
    const { client } = await preset({ "Content-Type": "text/event-stream; charset=utf-8" });
    expect(client.headers["content-type"]).toBe("text/event-stream; charset=utf-8");
  });

  test("a status that was set before does not matter", async () => {
    const { client } = await open((req, res) => {
      res.statusCode = 404;
      return openEventSource(req, res);
    });
    expect(client.status).toBe(200);
  });
});

describe("rule 19: what belongs to HTTP/1", () => {
  test("Node frames the body in chunks and keeps the connection on its own", async () => {
    const { client } = await open();
    expect(client.headers["transfer-encoding"]).toBe("chunked");
    expect(client.head).not.toMatch(/transfer-encoding.*transfer-encoding/is);
  });
});

describe("a client of HTTP/1.0", () => {
  test("gets the bare stream without chunks, and the end of the connection as its end", async () => {
    const { client, source } = await open(withOptions({ retry: 1_000 }), { version: "1.0" });
    source.dispatch("a", 1);
    expect((await client.next()).data).toBe("1");
    for (let n = 0; n < 10; n++) source.dispatch("b", n);
    await source.close();
    expect(await client.rest()).toBe("end");
    expect(client.headers).not.toHaveProperty("transfer-encoding");
    expect(client.body.toString()).toMatch(/^: keep-alive 30000\nretry: 1000\nevent: a\ndata: 1\n\nevent: b/);
    expect(client.parser.events).toHaveLength(11);
  });

  test("that leaves is seen to leave", async () => {
    const { client, source, res } = await open(undefined, { version: "1.0" });
    client.leave();
    await once(res, "close");
    expect(source.closeReason).toBe("disconnected");
  });
});

describe("ways in which a client leaves", () => {
  test.each(["leave", "reset", "halfClose"] as const)("%s() of its socket", async (how) => {
    const { client, source } = await open();
    const reasons: string[] = [];
    const closed = new Promise<void>((resolve) =>
      source.addEventListener("close", (event) => {
        reasons.push(event.reason);
        resolve();
      }),
    );
    client[how]();
    await closed;
    await source.close();
    expect(reasons).toEqual(["disconnected"]);
  });

  test("the server destroys its connections", async () => {
    const { server, source, res } = await open();
    (server as HttpServer).closeAllConnections();
    await once(res, "close");
    expect(source.closeReason).toBe("disconnected");
  });

  test("the application ends the response without closing the source", async () => {
    expectConsole(
      /the response for \/ was ended by a caller other than its EventSource.*in Koa set ctx\.respond = false.*close\(\)/,
    );
    const { client, source, res } = await open();
    res.end();
    expect(await client.rest()).toBe("end");
    await vi.waitUntil(() => source.readyState === 2);
    expect(source.dispatch("t")).toBe(false);
  });

  test("a second request on the same connection, queued after a stream, does not become a zombie when the client disconnects", async () => {
    const sources: EventSource[] = [];
    const arrived = Promise.withResolvers<void>();
    const { client } = await request((req, res) => {
      sources.push(openEventSource(req, res));
      if (sources.length === 2) arrived.resolve();
    });
    client.stream.write(requestText({}));
    await arrived.promise;
    client.leave();
    await vi.waitUntil(() => sources.every((source) => source.readyState === 2));
    expect(sources.map((source) => source.closeReason)).toEqual(["disconnected", "disconnected"]);
  });

  test("a second request gets its stream when the first one ends", async () => {
    const sources: EventSource[] = [];
    const { client } = await request((req, res) => sources.push(openEventSource(req, res)));
    client.stream.write(requestText({}));
    await vi.waitUntil(() => sources.length === 2);
    sources[1]?.dispatch("second", 1);
    await turn();
    const second = new Promise<string>((resolve) => {
      let text = "";
      client.stream.on("data", (bytes) => {
        text += bytes;
        if (text.includes("event: second")) resolve(text);
      });
    });
    void sources[0]?.close();
    expect(await second).toMatch(
      /0\r\n\r\nHTTP\/1\.1 200 OK\r\n(?:.+\r\n)+\r\n[0-9a-f]+\r\n: keep-alive 30000\nretry: \d+\n/,
    );
  });
});

describe("a response that is not to be had", () => {
  const taken = expect.objectContaining({ code: "ERR_SSE_RESPONSE_USED" });

  test("because a source is open on it already", async () => {
    const { req, res } = await open();
    expect(() => openEventSource(req, res)).toThrow(taken);
  });

  test("because it was sent", async () => {
    await open((req, res) => {
      const source = openEventSource(req, res);
      expect(() => openEventSource(req, res)).toThrow(taken);
      return source;
    });
    const { req, res } = await open((req, res) => openEventSource(req, res));
    res.end();
    expect(() => openEventSource(req, res)).toThrow(taken);
  });

  test("response() of a source on node:http says where it belongs", async () => {
    const { source } = await open();
    expect(() => source.response()).toThrow(taken);
  });
});

test("close() of a stalled client resolves, and its connection does not stay forever", async () => {
  const { client, source, res } = await open(withOptions({ maxBufferedBytes: "64mb" }));
  client.pause();
  while (source.bufferedAmount < 1_000_000) {
    source.dispatch("t", kilobyte.repeat(64));
    await turn();
  }
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const closing = source.close();
  vi.advanceTimersByTime(60_000);
  vi.useRealTimers();
  await closing;
  expect(res.destroyed).toBe(true);
});

test("no listener of ours stays on the response or its socket after the end", async () => {
  const { client, source, socket } = await open();
  const before = {
    close: socket.listenerCount("close"),
    drain: socket.listenerCount("drain"),
    error: socket.listenerCount("error"),
  };
  for (let n = 0; n < 200; n++) source.dispatch("t", kilobyte.repeat(20));
  await client.until(() => client.parser.events.length === 200);
  expect(socket.listenerCount("close")).toBeLessThanOrEqual(before.close);
  expect(socket.listenerCount("drain")).toBeLessThanOrEqual(before.drain);
  expect(socket.listenerCount("error")).toBeLessThanOrEqual(before.error);
});
