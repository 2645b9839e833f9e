import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { respond } from "../../src/adapters/node.ts";
import { openHub } from "../support/hub.ts";
import { type NativeBrowser, NativeClient, nativeBrowsers, type Tab } from "../support/native.ts";
import { type PageServer, startPageServer } from "../support/page-server.ts";

describe.each(nativeBrowsers)("the EventSource of $name on a compressed channel", ({ launch }) => {
  let browser: NativeBrowser;
  let server: PageServer;
  let tab: Tab;

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser[Symbol.asyncDispose]());
  afterEach(async () => {
    await tab.close();
    await server[Symbol.asyncDispose]();
  });

  test.each([
    ["HTTP/1.1", false],
    ["HTTP/2", true],
  ])("clients that come at any time receive event by event, over %s", async (_, http2) => {
    const { hub } = openHub({ compress: true, retry: 500 });
    const news = hub.channel("news");
    server = await startPageServer({ http2 });
    const encodings: unknown[] = [];
    server.routes.set("/news", (req, res) => {
      const { writeHead } = res;
      res.writeHead = ((status: number, headers?: Record<string, string>) => {
        encodings.push(headers?.["content-encoding"] ?? res.getHeader("content-encoding"));
        return writeHead.call(res, status, headers);
      }) as typeof writeHead;
      return respond(hub, req, res, { channels: ["news"], key: "tab" });
    });
    tab = await browser.newTab();
    await tab.goto(server.origin);
    const clients: NativeClient[] = [];
    for (let n = 0; n < 24; n++) {
      if (n % 6 === 0) {
        const client = await NativeClient.open(tab, "/news");
        await client.hears("sse:checkpoint");
        clients.push(client);
      }
      await news.dispatchMessage(`number ${n}, in the words of the others`);
      for (const client of clients) await client.hears("message", `number ${n}, in the words of the others`);
    }
    expect(encodings).toEqual(clients.map(() => "gzip"));
    // Each stream ends, and its client reconnects at its position.
    hub.revoke("tab");
    await news.dispatchMessage("while they are away");
    for (const client of clients) await client.hears("message", "while they are away");
  });
});
