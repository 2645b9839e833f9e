/** The live board of the examples with a component framework: one page, whatever shows it, through everything that cuts a stream. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../support/browser.ts";
import { eventually } from "../support/deadline.ts";
import type { Example } from "../support/example.ts";
import { freePort, type ServerProcess } from "../support/server-process.ts";
import { FaultProxy } from "../support/stores/fault-proxy.ts";
import { temporaryFile } from "../support/temporary.ts";

export interface BoardOptions {
  /** Where the board is. @default "/" */
  path?: string;
  env?: NodeJS.ProcessEnv;
  /** Set for a page that the server has rendered with its trains. */
  isRendered?: boolean;
}

/** Events that the log of the example keeps. */
const kept = 60;
const lines = 8;

/** The suite. `build` builds the example, which is then started as its users do. */
export function boardSuite(
  name: string,
  build: () => Promise<Example>,
  { path = "/", env, isRendered = false }: BoardOptions = {},
): void {
  describe(`the board of the example for ${name}`, () => {
    let example: Example;
    let browser: Browser;
    let server: ServerProcess;
    let proxy: FaultProxy;
    let context: BrowserContext;
    const problems: string[] = [];
    const database = temporaryFile("board.db");

    const start = async (port: number): Promise<ServerProcess> =>
      example.startScript({ ...env, DATABASE: database.path, KEEP: String(kept), PACE: "250" }, "start", port);

    beforeAll(async () => {
      [example, browser] = await Promise.all([build(), launchChromium({ backForwardCache: true })]);
      server = await start(await freePort());
      proxy = await FaultProxy.start(server.port);
      context = await browser.newContext();
    }, 300_000);

    afterAll(async () => {
      await browser?.close();
      await proxy?.[Symbol.asyncDispose]();
      await server?.stop("SIGKILL");
      database.remove();
    });

    /** A page with the board, which is live. */
    async function open(): Promise<Page> {
      problems.length = 0;
      const page = await context.newPage();
      page.on("pageerror", (error) => problems.push(String(error)));
      page.on("console", (message) => {
        // The browser itself reports a connection that it lost.
        if (message.type() === "error" && !/net::ERR|Failed to load/.test(message.text()))
          problems.push(message.text());
      });
      await page.goto(`http://localhost:${proxy.port}${path}`);
      await isLive(page);
      await page.waitForFunction((count) => document.querySelectorAll(".trains tbody tr").length === count, lines);
      return page;
    }

    const isLive = (page: Page) => page.locator('.status[data-state="open"]', { hasText: "Live" }).waitFor();
    const isLost = (page: Page) =>
      page.locator('.status:is([data-state="retrying"], [data-state="offline"])').waitFor();
    const notice = (page: Page, text: RegExp) => page.locator(".notice", { hasText: text }).waitFor();
    const shows = (page: Page, text: string) => page.locator(".announcements li", { hasText: text }).waitFor();

    async function announce(...texts: string[]): Promise<void> {
      for (const text of texts) {
        const response = await fetch(`${server.origin}/board/announce`, {
          method: "POST",
          headers: { connection: "close", "content-type": "application/json" },
          body: JSON.stringify({ text }),
        });
        expect(response.status).toBe(204);
      }
    }

    /** Nothing went wrong in the page, which is not needed any more. */
    async function close(page: Page): Promise<void> {
      await page.close();
      expect(problems).toEqual([]);
    }

    test("shows trains, and an announcement in two tabs", async () => {
      const [writer, reader] = [await open(), await open()];
      await writer.getByLabel("Announcement").fill("Grüße an alle");
      await writer.getByRole("button", { name: "Announce" }).click();
      await shows(reader, "Grüße an alle");
      await shows(writer, "Grüße an alle");
      await reader.close();
      await close(writer);
    });

    test.runIf(isRendered)("is there before any script runs", async () => {
      const response = await fetch(`${server.origin}${path}`, { headers: { connection: "close" } });
      const html = await response.text();
      expect(html.match(/<tr[ >]/g)).toHaveLength(lines + 1);
      expect(html).toContain("Connecting");
    });

    test("continues after the server was killed, with the events that it missed", async () => {
      const page = await open();
      await announce("before");
      await shows(page, "before");
      await server.stop("SIGKILL");
      await isLost(page);
      server = await start(server.port);
      await announce("during");
      await shows(page, "during");
      await notice(page, /^Back after \d+ s: \d+ events were waiting\.$/);
      expect(await page.locator(".announcements li").allTextContents()).toEqual([
        expect.stringContaining("during"),
        expect.stringContaining("before"),
      ]);
      await close(page);
    });

    test("continues after a deploy, whose server drains", async () => {
      const page = await open();
      await announce("old server");
      await shows(page, "old server");
      await server.stop("SIGTERM");
      await isLost(page);
      server = await start(server.port);
      await announce("new server");
      await shows(page, "new server");
      await notice(page, /^Back after/);
      expect(await page.locator(".announcements li").count()).toBe(2);
      await close(page);
    });

    test("says that it is offline, and continues when it is online again", async () => {
      const page = await open();
      await context.setOffline(true);
      proxy.refuse();
      await page.locator('.status[data-state="offline"]', { hasText: "Offline" }).waitFor();
      expect(await page.getByRole("button", { name: "Announce" }).isEnabled()).toBe(false);
      await announce("while offline");
      proxy.heal();
      await context.setOffline(false);
      await shows(page, "while offline");
      await notice(page, /were waiting|was waiting/);
      await close(page);
    });

    test("says how much it missed when the log has not kept it", async () => {
      const page = await open();
      proxy.refuse();
      await isLost(page);
      // The log removes entries some time after they are too many.
      await announce(...Array.from({ length: 3 * kept }, (_, index) => `announcement ${index}`));
      proxy.heal();
      await notice(page, /^Back after \d+ s\. You missed (up to )?\d+ events; the board is up to date again\.$/);
      await isLive(page);
      await announce("after the gap");
      await shows(page, "after the gap");
      await close(page);
    });

    test("a tab that was frozen catches up", async () => {
      const page = await open();
      const session = await context.newCDPSession(page);
      await session.send("Page.setWebLifecycleState", { state: "frozen" });
      await announce("while frozen", "and again");
      await session.send("Page.setWebLifecycleState", { state: "active" });
      await shows(page, "while frozen");
      await shows(page, "and again");
      expect(await page.locator(".announcements li").count()).toBe(2);
      await close(page);
    });

    test("comes out of the back/forward cache, and catches up", async () => {
      const page = await open();
      await announce("before leaving");
      await shows(page, "before leaving");
      await page.evaluate(() => {
        window.addEventListener("pageshow", ({ persisted }) => {
          document.body.dataset.persisted = String(persisted);
        });
      });
      await page.goto("data:text/html,elsewhere");
      await announce("while elsewhere");
      await page.goBack({ waitUntil: "commit" });
      await shows(page, "while elsewhere");
      expect(await page.locator("body").getAttribute("data-persisted")).toBe("true");
      expect(await page.locator(".announcements li").count()).toBe(2);
      await close(page);
    });

    test("closes its connection with its page", async () => {
      await eventually(
        "no stream is left",
        async () => proxy.streams,
        (size) => size === 0,
      );
    });
  });
}
