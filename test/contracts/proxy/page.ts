/** Many streams of a page in Chromium, behind a proxy with what users copy: over TLS and HTTP/2. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { EventStreamParser, type ParsedEvent } from "../../../src/wire/parse.ts";
import { launchChromium } from "../../support/browser.ts";
import { eventually } from "../../support/deadline.ts";
import { type NewsServer, startNewsServers } from "../../support/proxies/news-server.ts";
import { StreamsOfPage } from "../../support/proxies/page.ts";
import { type ProxyKind, ProxyProcess } from "../../support/proxies/proxy.ts";

/** More streams than a browser gets by default. */
const many = 120;
const some = 20;

export interface PageOptions {
  /** Whether streams end when the proxy is reloaded. Otherwise they stay with what was there before. */
  cutsAtReload: boolean;
}

export function pageThrough(kind: ProxyKind, { cutsAtReload }: PageOptions): void {
  describe(`a page through ${kind.name} with docs/deploy/${kind.file}`, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await launchChromium();
    });
    afterAll(() => browser?.close());

    test(`${many} streams are open at once over HTTP/2, and each receives an event`, async () => {
      const { page, servers } = await start(kind, browser, 1);
      const [server] = servers as [NewsServer];
      await page.follow(many);
      expect(await page.protocol()).toBe("h2");
      expect((await server.open()).news).toBe(many);
      await server.publish(["1"]);
      expect(await page.othersThan(["1"])).toEqual([]);
      await page.close();
      await eventually(
        "all are closed",
        () => server.open(),
        ({ news }) => news === 0,
      );
    });

    test("a client that speaks HTTP/1.1 over TLS and leaves is noticed", async () => {
      const { proxy, servers } = await start(kind, browser, 1);
      const [server] = servers as [NewsServer];
      const options = { host: "127.0.0.1", port: proxy.port, path: "/quiet", rejectUnauthorized: false };
      const client = request(options, (response) => response.on("error", () => {}).resume()).end();
      client.on("error", () => {});
      await eventually(
        "it is there",
        () => server.open(),
        ({ quiet }) => quiet === 1,
      );
      client.destroy();
      await eventually(
        "it is noticed",
        () => server.open(),
        ({ quiet }) => quiet === 0,
      );
    });

    test.each(["SIGKILL", "SIGTERM"] as const)(
      "streams continue at another server where theirs gets %s",
      async (signal) => {
        const { page, servers } = await start(kind, browser, 2);
        const [first, second] = servers as [NewsServer, NewsServer];
        await page.follow(some);
        await second.publish(numbers(1, 10));
        expect(await page.othersThan(numbers(1, 10))).toEqual([]);
        const [here, there] = [await first.open(), await second.open()];
        expect(Math.min(here.news, there.news), "both have some").toBeGreaterThan(0);
        const stopped = first.stop(signal);
        // nginx tells the end of one of many streams when it next has something for any of them.
        let last = 10;
        const publishMore = async (): Promise<{ news: number }> => {
          await second.publish([String(++last)]);
          return second.open();
        };
        await eventually("all are at the other", publishMore, ({ news }) => news === some, 20_000);
        await stopped;
        await publishMore();
        expect(await page.othersThan(numbers(1, last))).toEqual([]);
      },
    );

    test("streams outlive a time in which no server is there", async () => {
      const { page, proxy, servers } = await start(kind, browser, 1);
      const [server] = servers as [NewsServer];
      await page.follow(some);
      // The first event tells a client its position. Bytes in flight when a server dies may not arrive.
      await server.publish(["1"]);
      expect(await page.othersThan(["1"])).toEqual([]);
      await server.publish(numbers(2, 10));
      await server.stop("SIGKILL");
      // Once by the server, and then by the proxy, which answers for it.
      const [other, stream] = await Promise.all([
        responseOf(proxy, "text/html"),
        responseOf(proxy, "text/event-stream"),
        page.openedAll(2),
      ]);
      expect(other.status, "for requests other than streams").toBeGreaterThanOrEqual(502);
      const { events, retry } = parse(stream.body);
      expect(events).toMatchObject([{ type: "sse:later" }]);
      expect(JSON.parse(events[0]?.data ?? "")).toEqual({ reason: "unavailable", retryAfter: retry });
      await server.restart();
      await eventually(
        "all are back",
        () => server.open(),
        ({ news }) => news === some,
        20_000,
      );
      await server.publish(numbers(11, 20));
      expect(await page.othersThan(numbers(1, 20))).toEqual([]);
    });

    test("streams outlive a reload of the proxy", async () => {
      const { page, proxy, servers } = await start(kind, browser, 1);
      const [server] = servers as [NewsServer];
      await page.follow(some);
      await server.publish(numbers(1, 10));
      expect(await page.othersThan(numbers(1, 10))).toEqual([]);
      await proxy.reload();
      await server.publish(numbers(11, 20));
      if (cutsAtReload) await page.openedAll(2);
      await server.publish(numbers(21, 30));
      expect(await page.othersThan(numbers(1, 30))).toEqual([]);
    });
  });
}

async function start(
  kind: ProxyKind,
  browser: Browser,
  count: number,
): Promise<{ page: StreamsOfPage; proxy: ProxyProcess; servers: NewsServer[] }> {
  const servers = await startNewsServers(count);
  const ports = servers.map(({ port }) => port);
  const proxy = await ProxyProcess.copied(kind, ports);
  onTestFinished(() => proxy.stop());
  const page = await StreamsOfPage.open(browser, proxy.port);
  onTestFinished(() => page.close());
  return { page, proxy, servers };
}

async function responseOf({ port }: ProxyProcess, accept: string): Promise<{ status: number; body: string }> {
  const options = { host: "127.0.0.1", port, path: "/", headers: { accept }, rejectUnauthorized: false, agent: false };
  const [response] = (await once(request(options).end(), "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

function parse(stream: string): { events: ParsedEvent[]; retry: number | undefined } {
  const events: ParsedEvent[] = [];
  let retry: number | undefined;
  const onRetry = (time: number): void => {
    retry = time;
  };
  new EventStreamParser({ onEvent: (event) => events.push(event), onRetry }).push(stream);
  return { events, retry };
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
}
