/** Whose a response is: a stream's only if one was opened, and never that of two. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import express, { type NextFunction, type Request, type Response } from "express";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createSSE } from "../../src/adapters/express.ts";
import { type NodeRequest, type NodeResponse, openEventSource, respond } from "../../src/adapters/node.ts";
import { eventHandler } from "../../src/adapters/ts-rest.ts";
import { createHub, type Hub } from "../../src/index.ts";
import { type Client, type ClientRequest, Http1Client, Http2Client } from "../support/client.ts";

let hub: Hub;
let questions: ((may: boolean) => void)[];
let cleanups: (() => unknown)[];
beforeEach(() => {
  questions = [];
  cleanups = [];
  hub = createHub({ authorize: () => new Promise((resolve) => questions.push(resolve)) });
});
afterEach(async () => {
  for (const clean of cleanups.reverse()) await clean();
  await hub.close();
});

async function serve(
  server: Server,
  connect = (port: number, request: ClientRequest): Client => new Http1Client(port, request),
) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanups.push(() => {
    server.close();
    return once(server, "close");
  });
  return (request: ClientRequest = {}): Client => {
    const client = connect((server.address() as AddressInfo).port, request);
    cleanups.push(() => client.leave());
    return client;
  };
}

type Open = (req: IncomingMessage, res: ServerResponse) => unknown;
const invalid: Record<string, Open> = {
  "openEventSource with a bad option": (req, res) => openEventSource(req, res, { keepAlive: -1 }),
  "openEventSource with a bad header": (req, res) => openEventSource(req, res, { headers: { "x-a": "\n" } }),
  "respond with a bad option": (req, res) => respond(hub, req, res, { channels: "news" as never }),
  "respond with a bad header": (req, res) => respond(hub, req, res, { channels: ["a"], headers: { "x-a": "\n" } }),
  "attach over the limit": (_req, res) => createSSE({ connections: 0 }).attach("ada", res),
};

describe.each(Object.entries(invalid))("after %s", (_name, open) => {
  test("the response is the application's to answer", async () => {
    const get = await serve(
      createServer(async (req, res) => {
        try {
          await open(req, res);
        } catch (error) {
          res.writeHead(418).end((error as { code: string }).code);
        }
      }),
    );
    const client = get();
    await client.rest();
    expect([client.status, client.body.toString()]).toEqual([418, expect.stringMatching(/^ERR_SSE_/)]);
  });

  test("a stream can be opened on it", async () => {
    const get = await serve(
      createServer(async (req, res) => {
        try {
          await open(req, res);
        } catch {
          openEventSource(req, res).dispatch("t", 1);
        }
      }),
    );
    expect((await get().next()).data).toBe("1");
  });

  test("a controller of ts-rest that returns a result has it sent", async () => {
    const get = await serve(
      createServer(async (req, res) => {
        const controller = eventHandler(async () => {
          try {
            await open(req, res);
          } catch (error) {
            return { status: 500, body: (error as { code: string }).code };
          }
          return undefined;
        });
        const { status, body } = (await controller({ res })) as { status: number; body: string };
        res.writeHead(status).end(body);
      }),
    );
    const client = get();
    await client.rest();
    expect([client.status, client.body.toString()]).toEqual([500, expect.stringMatching(/^ERR_SSE_/)]);
  });
});

describe("while respond() waits for authorize", () => {
  const protocols: [string, (route: (req: NodeRequest, res: NodeResponse) => void) => Promise<() => Client>][] = [
    ["HTTP/1.1", (route) => serve(createServer(route))],
    ["HTTP/2", (route) => serve(createHttp2Server(route) as never, (port, request) => new Http2Client(port, request))],
  ];

  test.each(protocols)("the client gets the response that others sent in the meantime, on %s", async (_, make) => {
    for (const may of [true, false]) {
      const outcomes: unknown[] = [];
      const get = await make((req, res) => {
        respond(hub, req, res, { channels: ["a"] }).then((source) => outcomes.push(source?.closeReason ?? source));
        (res as ServerResponse).writeHead(500, { "content-type": "text/plain" });
        res.end("error page");
      });
      const client = get();
      await client.rest();
      questions.pop()?.(may);
      while (outcomes.length === 0) await new Promise((resolve) => setImmediate(resolve));
      expect([client.status, client.body.toString(), outcomes]).toEqual([500, "error page", ["disconnected"]]);
      expect(hub.stats().connections).toBe(0);
    }
  });

  test.each(protocols)("a response that others have begun is not cut, on %s", async (_, make) => {
    const responses: NodeResponse[] = [];
    const outcomes: unknown[] = [];
    const get = await make((req, res) => {
      respond(hub, req, res, { channels: ["a"] }).then((source) => outcomes.push(source?.closeReason));
      (res as ServerResponse).writeHead(200);
      (res as ServerResponse).write("one,");
      responses.push(res);
    });
    const client = await get().opened();
    questions.pop()?.(true);
    while (outcomes.length === 0) await new Promise((resolve) => setImmediate(resolve));
    responses[0]?.end("two");
    expect([await client.rest(), client.body.toString(), outcomes]).toEqual(["end", "one,two", ["disconnected"]]);
  });

  test("a handler of Express that throws gets its error page, and the process survives", async () => {
    const app = express();
    app.get("/", async (req, res) => {
      void respond(hub, req, res, { channels: ["a"] });
      throw new Error("After respond()");
    });
    app.use((error: Error, _req: Request, res: Response, _next: NextFunction) => {
      res.status(500).send(error.message);
    });
    const client = (await serve(createServer(app)))();
    await client.rest();
    for (const answer of questions) answer(true);
    expect([client.status, client.body.toString()]).toEqual([500, "After respond()"]);
    while (hub.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test("no second stream can be opened on the response", async () => {
    const codes: string[] = [];
    const get = await serve(
      createServer((req, res) => {
        void respond(hub, req, res, { channels: ["a"] });
        try {
          openEventSource(req, res);
        } catch (error) {
          codes.push((error as { code: string }).code);
        }
      }),
    );
    const client = get();
    while (questions.length === 0) await new Promise((resolve) => setImmediate(resolve));
    questions[0]?.(true);
    await client.opened();
    expect([client.status, codes]).toEqual([200, ["ERR_SSE_RESPONSE_USED"]]);
  });
});
