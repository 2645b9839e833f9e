// The serving suite of sourcecast/testing, run against adapters of this package, and against adapters that are wrong.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { describe, expect, test } from "vitest";
import { openEventSource, respond } from "../../src/adapters/node.ts";
import { EventSource } from "../../src/index.ts";
import { type AdapterHandler, type AdapterRoute, type AdapterServer, testAdapter } from "../../src/testing/index.ts";

type Listener = (req: IncomingMessage, res: ServerResponse, handle: AdapterHandler) => unknown;

function serverOf(listener: Listener): (handle: AdapterHandler) => Promise<AdapterServer> {
  return async (handle) => {
    const server = createServer((req, res) => listener(req, res, handle));
    await once(server.listen(0, "127.0.0.1"), "listening");
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      async close() {
        server.closeAllConnections();
        await once(server.close(), "close");
      },
    };
  };
}

const onNode = (change: (route: AdapterRoute, res: ServerResponse) => AdapterRoute = (route) => route): Listener => {
  return (req, res, handle) => {
    const route: AdapterRoute = {
      open: (options) => openEventSource(req, res, options),
      respond: (hub, options) => respond(hub, req, res, options),
    };
    return handle(req.url ?? "/", change(route, res)).catch(() => res.writeHead(500).end());
  };
};

/** A server of web requests, as the runtimes of frameworks are made on Node. */
const onWeb: Listener = async (req, res, handle) => {
  const leaving = new AbortController();
  res.on("close", () => leaving.abort());
  const { method = "GET", headers, url = "/" } = req;
  const request = new Request(`http://localhost${url}`, {
    method,
    headers: headers as Record<string, string>,
    signal: leaving.signal,
  });
  let response: Response | undefined;
  try {
    await handle(url, {
      open(options) {
        const source = new EventSource(request, options);
        response = source.response();
        return source;
      },
      async respond(hub, options) {
        response = await hub.response(request, options);
      },
    });
  } catch {
    response = new Response(null, { status: 500 });
  }
  res.writeHead(response?.status ?? 500, Object.fromEntries(response?.headers ?? []));
  res.flushHeaders();
  if (response?.body == null) res.end();
  else
    Readable.fromWeb(response.body as NodeReadableStream)
      .on("error", () => {})
      .pipe(res);
};

describe("node:http", () => testAdapter({ test, start: serverOf(onNode()) }));
describe("web requests", () => testAdapter({ test, start: serverOf(onWeb) }));

/** Runs the suite with a framework of its own, and gives the names of the tests that failed. */
async function failures(listener: Listener): Promise<string[]> {
  const failed: string[] = [];
  const runs: (() => Promise<void>)[] = [];
  testAdapter({
    test: (name, run) => runs.push(() => run().catch(() => void failed.push(name))),
    start: serverOf(listener),
    deadline: 700,
  });
  for (const run of runs) await run();
  return failed.map((name) => name.replace("adapter: ", ""));
}

describe("finds an adapter that", () => {
  test("ignores the headers of its options", async () => {
    const broken = onNode(({ respond, open }) => ({
      respond,
      open: ({ headers: _, ...options } = {}) => open(options),
    }));
    expect(await failures(broken)).toEqual(["headers of the options are added, replace defaults and remove them"]);
  });

  test("holds events until the end", async () => {
    const broken = onNode((route, res) => {
      const held: unknown[] = [];
      const { write } = res;
      res.write = ((chunk: Uint8Array) => {
        // The opening passes.
        if (held.push(chunk) === 1) return write.call(res, chunk as never, "utf8" as never);
        return true;
      }) as never;
      return route;
    });
    expect(await failures(broken)).toContain("an event leaves when it is dispatched, not with the next one");
  });

  test("cuts the connection in place of an end", async () => {
    const broken = onNode((route, res) => {
      res.end = (() => res.destroy()) as never;
      return route;
    });
    expect(await failures(broken)).toContain("close() sends what was dispatched, then ends the response properly");
  });
});
