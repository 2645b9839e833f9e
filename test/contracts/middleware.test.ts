import { ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import compression from "compression";
import type { RequestHandler } from "express";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { EventSource } from "../../src/index.ts";
import type { Http1Client } from "../support/client.ts";
import { expectConsole } from "../support/console.ts";
import { installPackages } from "../support/example.ts";
import { openBehind } from "../support/express-stream.ts";

const fromNpm = { "express-interceptor": "1.2.0", morgan: "1.12.1", "response-time": "2.3.4" };
let modules: NodeJS.Require;
beforeAll(async () => {
  modules = createRequire(join(await installPackages(fromNpm), "here.js"));
}, 120_000);

let client: Http1Client;

/** Express with `middleware` before its route, and a client that takes gzip. */
async function open(...middleware: RequestHandler[]): Promise<EventSource> {
  const options = { headers: { "cache-control": "no-cache" } };
  const opened = await openBehind(middleware, { encoding: "gzip", options });
  client = opened.client;
  return opened.source;
}

/** Bytes get time to leave, and then the check runs a second time. */
async function aWhile(): Promise<void> {
  await inReal(50);
  await vi.advanceTimersByTimeAsync(1_100);
  await inReal(5);
  await vi.advanceTimersByTimeAsync(1_100);
}

// The clock of the watch is a fake one, that of the sockets and compressors is not.
const { setTimeout: realTimeout } = globalThis;
const inReal = (time: number) => new Promise((resolve) => realTimeout(resolve, time));
beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

const interceptor = (isInterceptable: () => boolean): RequestHandler =>
  modules("express-interceptor")(() => ({
    isInterceptable,
    intercept: (body: string, send: (body: string) => void) => send(body),
  }));

/** The middleware of Express itself, with what it offers for streams taken away. */
const withoutFlush: RequestHandler = (_req, res, next) => {
  Reflect.deleteProperty(res, "flush");
  next();
};

describe("a middleware that buffers what is written is noticed and described:", () => {
  test("one that collects the body, by the name and the beginning of its function", async () => {
    const lines = expectConsole(
      /a middleware buffers what is written to \/events: .*with (the function "\w*"|a function without a name), which begins with .{10,60}\. Mount it on other routes/,
    );
    const source = await open(interceptor(() => true));
    source.dispatch("t", 1);
    await aWhile();
    expect(lines).toHaveLength(1);
    expect(client.status).toBe(0);
  });

  test("once, however many connections there are", async () => {
    const lines = expectConsole();
    await open(interceptor(() => true));
    await aWhile();
    expect(lines).toEqual([]);
  });

  test("one that compresses and does not flush", async () => {
    const lines = expectConsole(/the function "write", which begins with function write \(chunk, encoding\)/);
    await open(compression(), withoutFlush);
    await aWhile();
    expect(lines).toHaveLength(1);
  });

  test("one whose function was bound", async () => {
    const lines = expectConsole(
      /the function "bound hold", which begins with function \(\) \{ \[native code\] \}\. Mount/,
    );
    const pieces: unknown[] = [];
    await open((_req, res, next) => {
      res.write = function hold(this: unknown[], piece: unknown) {
        return this.push(piece) > 0;
      }.bind(pieces);
      next();
    });
    await aWhile();
    expect(lines).toHaveLength(1);
  });
});

describe("no warning for", () => {
  const passing: Record<string, () => RequestHandler[]> = {
    "compression that is flushed": () => [compression()],
    "one that leaves event streams alone": () => [interceptor(() => false)],
    "those that log and measure": () => [
      modules("morgan")("tiny", { stream: { write() {} } }),
      modules("response-time")(),
    ],
    "several around each other": () => [interceptor(() => false), compression(), modules("response-time")()],
  };
  test.each(Object.entries(passing))("%s, and events pass", async (_, middleware) => {
    const source = await open(...middleware());
    for (let n = 0; n < 3; n++) {
      source.dispatch("t", n);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await aWhile();
    expect(client.body.length).toBeGreaterThan(60);
    if (client.headers["content-encoding"] === undefined) expect(client.parser.events).toHaveLength(3);
  });

  test("one that passes bytes on later than the first look, since the program was busy", async () => {
    await open((_req, res, next) => {
      const { write } = res;
      res.write = ((...args: Parameters<typeof write>) => {
        setImmediate(() => write.apply(res, args));
        return true;
      }) as typeof write;
      next();
    });
    vi.advanceTimersByTime(1_100);
    await client.opened();
    await aWhile();
  });

  test("one that buffers a stream which ends before the check", async () => {
    const pieces: Uint8Array[] = [];
    const source = await open((_req, res, next) => {
      const { end } = res;
      res.write = ((piece: Uint8Array) => pieces.push(piece) > 0) as typeof res.write;
      res.end = (() => end.call(res, Buffer.concat(pieces), "utf8")) as typeof res.end;
      next();
    });
    source.dispatch("t", 1);
    await source.close();
    expect((await client.next()).data).toBe("1");
    await aWhile();
  });

  test("a second request on a connection whose first one is not over", async () => {
    const wrap: RequestHandler = (_req, res, next) => {
      const { write } = res;
      res.write = ((...args: Parameters<typeof write>) => write.apply(res, args)) as typeof write;
      next();
    };
    await open(wrap);
    client.stream.write("GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    await aWhile();
  });
});

test("a middleware whose write() returns nothing does not stop the events, nor the bound on a slow reader", async () => {
  const wrap: RequestHandler = (_req, res, next) => {
    res.write = ((...args: Parameters<typeof res.write>) => {
      ServerResponse.prototype.write.apply(res, args);
    }) as never;
    next();
  };
  const source = await open(wrap);
  for (let n = 0; n < 3; n++) {
    source.dispatch("t", n);
    expect((await client.next()).data).toBe(String(n));
  }
  client.pause();
  let sent = 0;
  while (source.dispatch("t", "x".repeat(100_000)) && sent < 1_000) {
    sent++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(sent).toBeLessThan(1_000);
  expect(source.closeReason).toBe("overflow");
});
