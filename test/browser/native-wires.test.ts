import compression from "compression";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openEventSource } from "../../src/adapters/node.ts";
import { EventSourceSet, type EventSource as Source, type SourceOptions } from "../../src/index.ts";
import { eventually } from "../support/deadline.ts";
import { type NativeBrowser, NativeClient, nativeBrowsers, type Tab } from "../support/native.ts";
import { type PageServer, type Route, startPageServer } from "../support/page-server.ts";

describe.each(nativeBrowsers)("the EventSource of $name", ({ launch }) => {
  let browser: NativeBrowser;
  let server: PageServer;
  let tab: Tab;
  const sources = new EventSourceSet();

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser[Symbol.asyncDispose]());
  afterEach(async () => {
    await tab.close();
    sources.closeAll();
    await server[Symbol.asyncDispose]();
  });

  async function begin(options: { http2?: boolean }, route: Route): Promise<void> {
    server = await startPageServer(options);
    server.routes.set("/stream", route);
    tab = await browser.newTab();
    await tab.goto(server.origin);
  }

  const add = (...args: [...Parameters<Route>, options?: SourceOptions]): Source => {
    const source = openEventSource(...args);
    sources.add(source as never);
    return source;
  };

  test.each([
    ["a compressed stream", { "cache-control": "no-cache" }, true],
    ["a stream that asks middleware to let it be", undefined, false],
  ])("it receives %s event by event", async (_, headers, compressed) => {
    const encodings: unknown[] = [];
    const compress = compression();
    await begin({}, (req, res) =>
      compress(req as never, res as never, () => {
        add(req, res, headers === undefined ? {} : { headers });
        encodings.push(res.getHeader("content-encoding"));
      }),
    );
    const client = await NativeClient.open(tab, "/stream");
    await client.opens();
    for (const text of ["one", "two", "three"]) {
      sources.dispatch("message", text);
      await client.hears("message", text);
    }
    expect(encodings.map((encoding) => encoding !== undefined)).toEqual([compressed]);
  });

  test("over HTTP/2 more than a hundred streams of a page are open at once", async () => {
    await begin({ http2: true }, (req, res) => add(req, res));
    const clients: NativeClient[] = [];
    for (let count = 0; count < 120; count++) clients.push(await NativeClient.open(tab, "/stream"));
    await eventually(
      "all are open",
      async () => sources.size,
      (size) => size === clients.length,
    );
    sources.dispatch("message", "to all");
    for (const client of clients) await client.hears("message", "to all");
    await clients[0]?.close();
    await eventually(
      "one has left",
      async () => sources.size,
      (size) => size === clients.length - 1,
    );
  });
});
