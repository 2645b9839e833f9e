import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createGunzip } from "node:zlib";
import compression, { type CompressionOptions } from "compression";
import express from "express";
import { describe, expect, onTestFinished, test } from "vitest";
import { type NodeSourceOptions, openEventSource } from "../../src/adapters/node.ts";
import { EventSource } from "../../src/index.ts";
import { Http1Client } from "../support/client.ts";
import { Decompressing } from "../support/decompressing.ts";
import { openBehind } from "../support/express-stream.ts";
import { StreamRecorder } from "../support/recorder.ts";

let client: Http1Client;

/** Express with `compression()` in front, and a client that takes `encoding`. */
async function open(
  encoding: string,
  options?: NodeSourceOptions,
  middleware?: CompressionOptions,
): Promise<EventSource> {
  const opened = await openBehind([compression(middleware)], { encoding, options });
  client = opened.client;
  await client.opened();
  return opened.source;
}

const transformable: NodeSourceOptions = { headers: { "cache-control": "no-cache" } };

describe("rule 23: behind the compression middleware of Express", () => {
  test.each([{}, { threshold: 0 }])("with the default headers and %o it stays out of the way", async (middleware) => {
    const source = await open("gzip, br", undefined, middleware);
    expect(client.headers).not.toHaveProperty("content-encoding");
    expect(client.headers["cache-control"]).toContain("no-transform");
    for (let n = 0; n < 5; n++) {
      source.dispatch("t", n);
      expect((await client.next()).data).toBe(String(n));
    }
    expect(source.url).toMatch(/\/events\?a=1$/);
  });

  // A threshold is for answers whose length is known.
  test.each([
    ["gzip", {}],
    ["gzip", { threshold: 0 }],
    ["br", {}],
    ["br", { threshold: 0 }],
  ])("where it compresses with %s and %o, each event is flushed", async (encoding, middleware) => {
    const source = await open(encoding, transformable, middleware);
    expect(client.headers["content-encoding"]).toBe(encoding);
    using stream = new Decompressing(client);
    for (let n = 0; n < 20; n++) {
      source.dispatch("t", { n });
      await stream.until(() => stream.parser.events.length === n + 1);
      expect(stream.parser.events[n]?.data).toBe(`{"n":${n}}`);
    }
  });

  test("the opening and a keep-alive are flushed too", async () => {
    await open("gzip", { ...transformable, keepAlive: 5 });
    using stream = new Decompressing(client);
    await stream.until(() => stream.parser.retry !== undefined);
    await stream.until(() => stream.parser.comments.length > 3);
  });

  test("the stream has one gzip member and a proper end", async () => {
    const source = await open("gzip", transformable);
    for (let n = 0; n < 3; n++) {
      source.dispatch("t", n);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await source.close();
    expect(await client.rest()).toBe("end");
    const gunzip = createGunzip();
    const parser = new StreamRecorder();
    gunzip.on("data", (bytes: Buffer) => parser.push(bytes));
    gunzip.end(client.body);
    await once(gunzip, "end");
    expect(parser.events).toHaveLength(3);
    expect(gunzip.bytesWritten).toBe(client.body.length);
  });

  test.each(["identity", "gzip"])("a client that leaves is seen to leave, with %s", async (encoding) => {
    const source = await open(encoding, transformable);
    const closed = new Promise((resolve) => source.addEventListener("close", resolve));
    client.leave();
    await closed;
    expect(source.closeReason).toBe("disconnected");
  });

  test("a reader that stalls is noticed, and the producer of a pipe continues when it reads", async () => {
    const source = await open("gzip", transformable);
    client.pause();
    let produced = 0;
    const piping = source.pipe(
      (function* () {
        for (; produced < 600; produced++) yield incompressible(produced);
      })(),
    );
    await new Promise((resolve) => setImmediate(resolve));
    client.resume();
    expect(await piping).toMatchObject({ ended: "done", events: 600 });
    await source.close();
    expect(await client.rest()).toBe("end");
  });
});

/** Text of 20 kB that a compressor makes little smaller, the same each time. */
function incompressible(seed: number): string {
  let state = seed + 1;
  let text = "";
  while (text.length < 20_000) {
    state = (state * 48_271) % 2_147_483_647;
    text += state.toString(36);
  }
  return text;
}

test("mounted below a path, url is the one that was asked for", async () => {
  const routed = Promise.withResolvers<EventSource>();
  const router = express.Router().get("/events", (req, res) => routed.resolve(openEventSource(req, res)));
  const server = express().use("/api", router).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = new Http1Client(port, { path: "/api/events?lastEventId=7" });
  onTestFinished(async () => {
    client.leave();
    await once(server.close(), "close");
  });
  const source = await routed.promise;
  expect([new URL(source.url).pathname, source.lastEventId]).toEqual(["/api/events", "7"]);
  expect(source).toBeInstanceOf(EventSource);
  await client.opened();
  expect(client.headers["x-powered-by"]).toBe("Express");
});
