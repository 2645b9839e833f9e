import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type Response } from "express";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createSSE, OverloadError, overloadHandler, type SSE, type SSEOptions } from "../../src/adapters/express.ts";
import { openEventSource } from "../../src/adapters/node.ts";
import { SourcecastError } from "../../src/index.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { type ClientRequest, Http1Client } from "../support/client.ts";
import { expectConsole } from "../support/console.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** An application whose users name themselves, on a server of its own. */
async function startApp(
  options: SSEOptions = {},
  attach: (sse: SSE, user: string, res: Response) => unknown = (sse, user, res) => void sse.attach(user, res),
): Promise<{ sse: SSE; open: (user: string, request?: ClientRequest) => Http1Client; port: number }> {
  const sse = createSSE(options);
  const app = express();
  app.get("/events/:user", (req, res) => attach(sse, req.params.user, res));
  app.use(overloadHandler);
  app.use((error: Error, _req: unknown, res: Response, _next: unknown) => {
    res.status(500).json({ name: error.name, code: (error as SourcecastError).code });
  });
  const server: Server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  cleanups.push(async () => {
    await sse.hub.close();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  const open = (user: string, request: ClientRequest = {}): Http1Client => {
    const client = new Http1Client(port, { path: `/events/${encodeURIComponent(user)}`, ...request });
    cleanups.push(() => client.leave());
    return client;
  };
  return { sse, open, port };
}

describe("a manager of connections", () => {
  test("two tabs of one user are two connections", async () => {
    const { sse, open } = await startApp();
    const tabs = [await open("ann").opened(), await open("ann").opened()];
    const bob = await open("bob").opened();
    expect(sse.size).toBe(3);
    await sse.send("message", "to ann", { to: "ann" });
    await sse.send("message", { to: "all" });
    for (const tab of tabs) {
      expect((await tab.nextPublished()).data).toBe("to ann");
      expect((await tab.nextPublished()).data).toBe('{"to":"all"}');
    }
    expect((await bob.nextPublished()).data).toBe('{"to":"all"}');
    tabs[0]?.leave();
    await vi.waitFor(() => expect(sse.size).toBe(2));
    expect(sse.has("ann")).toBe(true);
    tabs[1]?.leave();
    await vi.waitFor(() => expect(sse.has("ann")).toBe(false));
    expect(sse.has("bob")).toBe(true);
  });

  test("ids ascend, and a client that comes back gets what it missed", async () => {
    const { sse, open } = await startApp();
    const first = await open("ann").opened();
    await sse.send("count", 1);
    const { lastEventId } = await first.nextPublished();
    first.leave();
    await vi.waitFor(() => expect(sse.size).toBe(0));
    const ids = [await sse.send("count", 2), await sse.send("count", 3, { to: "ann" })];
    await sse.send("count", "not for ann", { to: "bob" });
    const again = open("ann", { headers: { "last-event-id": lastEventId } });
    const missed = [await again.nextPublished(), await again.nextPublished()];
    expect(missed.map(({ data }) => data)).toEqual(["2", "3"]);
    expect(missed.map((event) => event.lastEventId)).toEqual(ids);
    expect([lastEventId, ...ids].map(offsetOf)).toEqual([1, 2, 3]);
    await sse.send("count", 5);
    expect((await again.nextPublished()).data).toBe("5");
  });

  test("an id may be any text, and is never a pattern", async () => {
    const { sse, open } = await startApp();
    const star = await open("*").opened();
    const ann = await open("ann").opened();
    const odd = await open("ann/ö\n*").opened();
    await sse.send("message", "for ann", { to: "ann" });
    await sse.send("message", "for the star", { to: "*" });
    await sse.send("message", "for the odd one", { to: "ann/ö\n*" });
    expect((await star.nextPublished()).data).toBe("for the star");
    expect((await ann.nextPublished()).data).toBe("for ann");
    expect((await odd.nextPublished()).data).toBe("for the odd one");
    await sse.send("message", "for all");
    for (const client of [star, ann, odd]) expect((await client.nextPublished()).data).toBe("for all");
    expect(() => sse.send("message", 1, { to: "" })).toThrow('The option to is ""; it takes an id');
  });

  test.each([
    ["28 Chinese characters", "\u6211".repeat(28)],
    ["of any length", "x".repeat(5_000)],
    ["with a lone surrogate", "\ud800"],
    ["with a control character and a percent sign", "a\0%2A"],
  ])("an id may be %s, and none is mistaken for another", async (_, id) => {
    const { sse, open } = await startApp({}, (sse, user, res) => void sse.attach(user === "id" ? id : user, res));
    const others = [`${id}x`, id.slice(1), id.replace("\ud800", "\ud801"), id.replace("\0%2A", "%0;*")];
    const [one, other] = [await open("id").opened(), await open("other").opened()];
    expect(sse.has(id)).toBe(true);
    for (const another of others) if (another !== id && another !== "") await sse.send("t", "another", { to: another });
    await sse.send("t", "one", { to: id });
    await sse.send("t", "all");
    expect((await one.nextPublished()).data).toBe("one");
    expect((await other.nextPublished()).data).toBe("all");
  });

  test("over the limit new clients are rejected with a time to retry, and the others stay", async () => {
    const { sse, open } = await startApp({ connections: 1 });
    const first = await open("ann").opened();
    const second = open("ann");
    expect(await second.rest()).toBe("end");
    expect(second.status).toBe(200);
    expect(second.headers["content-type"]).toBe("text/event-stream");
    expect(second.parser.later?.reason).toBe("connections");
    expect(second.parser.later?.retry).toBeGreaterThanOrEqual(5_000);
    await sse.send("message", "still here");
    expect((await first.nextPublished()).data).toBe("still here");
    first.leave();
    await vi.waitFor(() => expect(sse.size).toBe(0));
    const third = await open("bob").opened();
    expect(third.ended).toBeNull();
  });

  test("the error of the limit is the application's to answer as well, with nothing sent before", async () => {
    const errors: unknown[] = [];
    const { open } = await startApp({ connections: 0 }, (sse, user, res) => {
      try {
        sse.attach(user, res);
      } catch (error) {
        errors.push(error);
        res.status(503).json({ full: true });
      }
    });
    const client = await open("ann").opened();
    expect(client.status).toBe(503);
    expect(errors[0]).toBeInstanceOf(OverloadError);
    expect(errors[0]).toBeInstanceOf(SourcecastError);
    expect(errors[0]).toMatchObject({ code: "ERR_SSE_LIMIT", name: "OverloadError" });
  });

  test("connectionTimeout ends a connection, and its client loses nothing", async () => {
    const { sse, open } = await startApp({ connectionTimeout: 200 });
    const first = open("ann");
    await first.opened();
    await sse.send("count", 1);
    const { lastEventId } = await first.nextPublished();
    expect(await first.rest()).toBe("end");
    expect(first.parser.retry).toBeGreaterThan(0);
    expect(sse.size).toBe(0);
    await sse.send("count", 2);
    const again = open("ann", { headers: { "last-event-id": lastEventId } });
    expect((await again.nextPublished()).data).toBe("2");
  });

  test("idleTimeout ends connections that receive nothing, and no others", async () => {
    const { sse, open } = await startApp({ idleTimeout: 600 });
    const busy = await open("busy").opened();
    const idle = await open("idle").opened();
    const timer = setInterval(() => sse.send("tick", 1, { to: "busy" }), 20);
    cleanups.push(() => clearInterval(timer));
    expect(await idle.rest()).toBe("end");
    expect(busy.ended).toBeNull();
    expect(sse.has("busy")).toBe(true);
    expect(sse.has("idle")).toBe(false);
  });

  test("close ends all streams of one id", async () => {
    const { sse, open } = await startApp();
    const tabs = [await open("ann").opened(), await open("ann").opened()];
    const bob = await open("bob").opened();
    expect(sse.close("ann")).toBe(2);
    expect(sse.close("ann")).toBe(0);
    for (const tab of tabs) expect(await tab.rest()).toBe("end");
    expect(sse.size).toBe(1);
    expect(bob.ended).toBeNull();
  });

  test("attach gives the source, once it is open", async () => {
    const { open } = await startApp({}, async (sse, user, res) => {
      const source = await sse.attach(user, res, { headers: { "x-own": "yes" } });
      source?.dispatch("welcome", { user });
    });
    const client = open("ann");
    expect(await client.nextPublished()).toMatchObject({ type: "welcome", data: '{"user":"ann"}' });
    expect(client.headers["x-own"]).toBe("yes");
  });

  test("a close before the stream is open ends it", async () => {
    const { sse, open } = await startApp({}, (sse, user, res) => {
      sse.attach(user, res);
      sse.close(user);
    });
    expect(await open("ann").rest()).toBe("end");
    expect(sse.size).toBe(0);
  });

  test("data that is undefined is not sent, and the type is message if it is undefined", async () => {
    const { sse, open } = await startApp();
    const client = await open("ann").opened();
    expect(await sse.send("nothing", undefined)).toBeNull();
    await sse.send(undefined, null);
    expect(await client.nextPublished()).toMatchObject({ type: "message", data: "null" });
  });

  test("a send that fails rejects, and goes to onError if it is not awaited", async () => {
    const failures: string[] = [];
    const { sse } = await startApp({
      onError: (error, { stage }) => failures.push(`${stage}: ${(error as Error).name}`),
    });
    await expect(sse.send("sse:gap", 1)).rejects.toMatchObject({ code: "ERR_SSE_TYPE" });
    sse.send("sse:gap", 1);
    await vi.waitFor(() => expect(failures).toEqual(["publish: SourcecastTypeError", "publish: SourcecastTypeError"]));
  });

  test("an onError that throws does not end the process, and hides no error", async () => {
    const lines = expectConsole(/\(publish\).*sse:gap|\(publish, in onError\).*No handler/s);
    const { sse } = await startApp({
      onError: () => {
        throw new Error("No handler");
      },
    });
    sse.send("sse:gap", 1);
    await vi.waitFor(() => expect(lines).toHaveLength(2));
  });

  test("a response that has a stream already is refused", async () => {
    const errors: unknown[] = [];
    const { open } = await startApp({}, (sse, user, res) => {
      sse.attach(user, res);
      for (const again of [() => sse.attach(user, res), () => openEventSource(res.req, res)]) {
        try {
          again();
        } catch (error) {
          errors.push(error);
        }
      }
    });
    const client = await open("ann").opened();
    expect(client.ended).toBeNull();
    expect(errors).toMatchObject([{ code: "ERR_SSE_RESPONSE_USED" }, { code: "ERR_SSE_RESPONSE_USED" }]);
  });

  test("an option that is refused takes no slot, and leaves the answer to the application", async () => {
    const { sse, open } = await startApp(
      {},
      (sse, user, res) => void sse.attach(user, res, { cors: { origin: 7 as never } }),
    );
    const client = await open("ann").opened();
    expect([client.status, JSON.parse(client.body.toString()).code]).toEqual([500, "ERR_SSE_OPTION"]);
    expect([sse.size, sse.hub.stats().connections]).toEqual([0, 0]);
  });

  test.each([undefined, "", 7, ["ann"]])("the id %j of a request is answered with 400 and reported", async (id) => {
    const failures: unknown[] = [];
    const onError: SSEOptions["onError"] = (error, { stage }) =>
      failures.push([stage, (error as SourcecastError).code]);
    const { sse, open } = await startApp({ onError }, (sse, _user, res) => void sse.attach(id as string, res));
    const client = open("any");
    await client.rest();
    expect([client.status, failures]).toEqual([400, [["attach", "ERR_SSE_ARGUMENT"]]]);
    expect([sse.size, sse.hub.stats().connections]).toEqual([0, 0]);
  });

  test("HEAD and OPTIONS open nothing, at the limit too", async () => {
    const app = express();
    const sse = createSSE({ connections: 1 });
    app.all("/events", (_req, res) => void sse.attach("ann", res, { cors: true }));
    app.use(overloadHandler);
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const clients: Http1Client[] = [];
    cleanups.push(async () => {
      await sse.hub.close();
      for (const client of clients) client.leave();
      await once(server.close(), "close");
    });
    const ask = async (method: string) => {
      const client = new Http1Client(port, { path: "/events", method, headers: { origin: "https://a.example" } });
      clients.push(client);
      await client.until(() => client.status !== 0);
      return client;
    };
    expect((await ask("HEAD")).status).toBe(200);
    expect(sse.size).toBe(0);
    expect((await ask("GET")).status).toBe(200);
    expect([(await ask("OPTIONS")).status, (await ask("PUT")).status, sse.size]).toEqual([204, 405, 1]);
  });
});

describe("attach opens the stream before it returns:", () => {
  type Handler = (sse: SSE, res: Response) => unknown;
  const opened = async (handler: Handler, options: SSEOptions = {}) => {
    const headersSent: boolean[] = [];
    const { sse, open } = await startApp(options, (sse, _user, res) => {
      try {
        return handler(sse, res);
      } finally {
        headersSent.push(res.headersSent);
      }
    });
    return { sse, headersSent, client: open("ann") };
  };

  test("header and opening leave, before the log has answered", async () => {
    const log = memoryLog();
    let answer: () => void = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const head = log.head.bind(log);
    log.head = async () => {
      await answered;
      return head();
    };
    const { sse, headersSent, client } = await opened((sse, res) => void sse.attach("ann", res), { log });
    await client.opened();
    expect([headersSent, client.status, sse.size]).toEqual([[true], 200, 1]);
    answer();
    await sse.send("t", 1, { to: "ann" });
    expect((await client.nextPublished()).data).toBe("1");
  });

  test.each<[string, Handler]>([
    [
      "throws",
      (sse, res) => {
        sse.attach("ann", res);
        throw new Error("After attach()");
      },
    ],
    [
      "is async and throws",
      async (sse, res) => {
        sse.attach("ann", res);
        throw new Error("After attach()");
      },
    ],
    [
      "waits, attaches and throws",
      async (sse, res) => {
        await null;
        sse.attach("ann", res);
        throw new Error("After attach()");
      },
    ],
    [
      "attaches, waits and throws",
      async (sse, res) => {
        sse.attach("ann", res);
        await null;
        throw new Error("After attach()");
      },
    ],
  ])("a handler that %s does no harm", async (_, handler) => {
    // The error handler answers with JSON, which Node refuses after the header; then Express destroys the connection.
    const { sse, client } = await opened(handler);
    expect(await client.rest()).toBe("cut");
    await vi.waitFor(() => expect([sse.size, sse.hub.stats().connections]).toEqual([0, 0]));
  });

  test("an answer that the handler sends after it is refused by Node, and the stream continues", async () => {
    const refused: unknown[] = [];
    const { sse, client } = await opened((sse, res) => {
      sse.attach("ann", res);
      try {
        res.status(500).json({});
      } catch (error) {
        refused.push((error as { code: string }).code);
      }
    });
    await client.opened();
    await sse.send("t", 1);
    expect((await client.nextPublished()).data).toBe("1");
    expect(refused).toEqual(["ERR_HTTP_HEADERS_SENT"]);
  });

  test("events dispatched to the source immediately come first, then the missed ones", async () => {
    const sse = createSSE();
    cleanups.push(() => sse.hub.close());
    const id = await sse.send("t", "before");
    await sse.send("t", "missed");
    const server = createServer((_req, res) => void sse.attach("ann", res)?.dispatch("welcome", "first"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const headers = { "last-event-id": id as string };
    const client = new Http1Client((server.address() as AddressInfo).port, { headers });
    cleanups.push(async () => {
      client.leave();
      await once(server.close(), "close");
    });
    expect((await client.nextPublished()).data).toBe("first");
    expect((await client.nextPublished()).data).toBe("missed");
  });

  test.each<[string, NonNullable<SSEOptions["authorize"]>, number]>([
    ["false", () => false, 403],
    ["another value", () => "yes" as never, 403],
    [
      "nothing, because it throws",
      () => {
        throw new Error("No database");
      },
      200,
    ],
  ])("an authorize that answers at once is asked before the stream is open: %s", async (_, authorize, status) => {
    const attached: unknown[] = [];
    const { sse, client } = await opened((sse, res) => void attached.push(sse.attach("ann", res), res.headersSent), {
      authorize,
      onError: () => {},
    });
    expect(await client.rest()).toBe("end");
    expect([client.status, attached, sse.size]).toEqual([status, [null, true], 0]);
    expect(client.parser.events.map(({ type }) => type)).toEqual(status === 403 ? [] : ["sse:later"]);
    expect(sse.hub.stats()).toMatchObject({ connections: 0, refused: { authorize: 1 } });
  });

  test("an authorize that answers at once lets the stream open, and is asked once for each channel", async () => {
    const asked: string[] = [];
    const authorize: NonNullable<SSEOptions["authorize"]> = ({ channel }) => asked.push(channel) > 0;
    const { client } = await opened((sse, res) => void sse.attach("ann", res)?.dispatch("welcome", 1), { authorize });
    expect((await client.nextPublished()).data).toBe("1");
    expect(asked).toEqual(["everyone", "one:ann"]);
  });

  test("a rejection by a promise of authorize ends the stream, with the reason", async () => {
    const { sse, client } = await opened((sse, res) => void sse.attach("ann", res), { authorize: async () => false });
    expect(await client.rest()).toBe("end");
    expect(client.parser.events.at(-1)).toMatchObject({ type: "sse:end", data: '{"reason":"forbidden"}' });
    expect([client.status, sse.size, sse.hub.stats()]).toMatchObject([
      200,
      0,
      { connections: 0, refused: { authorize: 1 } },
    ]);
  });

  test("a log that fails ends it with a time to retry", async () => {
    const failures: unknown[] = [];
    const log = memoryLog();
    log.head = () => Promise.reject(new Error("No log"));
    const onError: SSEOptions["onError"] = (_error, { stage }) => failures.push(stage);
    const { client, sse } = await opened((sse, res) => void sse.attach("ann", res), { log, onError });
    expect(await client.rest()).toBe("end");
    expect(client.parser.events.at(-1)).toMatchObject({ type: "sse:later", data: expect.stringContaining('"error"') });
    expect([Number(client.parser.retry) >= 5_000, failures.includes("replay"), sse.hub.stats().connections]).toEqual([
      true,
      true,
      0,
    ]);
  });

  test("close, revoke and the end of the hub end it while the log is asked", async () => {
    for (const end of [
      (sse: SSE) => sse.close("ann"),
      (sse: SSE) => sse.hub.revoke("ann"),
      (sse: SSE) => sse.hub.close(),
    ]) {
      const { sse, client } = await opened(
        (sse, res) => {
          sse.attach("ann", res);
          void end(sse);
        },
        { authorize: async () => true },
      );
      expect(await client.rest()).toBe("end");
      await vi.waitFor(() => expect([sse.size, sse.hub.stats().connections]).toEqual([0, 0]));
    }
  });

  test("a client that leaves while the log is asked frees its slot", async () => {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const { sse, client } = await opened((sse, res) => void sse.attach("ann", res), { authorize: () => promise });
    (await client.opened()).leave();
    await vi.waitFor(() => expect([sse.size, sse.hub.stats().connections]).toEqual([0, 0]));
    resolve(true);
  });
});

/** The place of an event in the log, out of its id. */
function offsetOf(id: string | null): number {
  return Number(id?.split(".")[1]);
}
