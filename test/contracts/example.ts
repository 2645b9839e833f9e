/** The part that all examples share, whatever their framework: a page that shows the time, sent by a stream. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../support/browser.ts";
import { Http1Client } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import type { ServerProcess } from "../support/server-process.ts";

/** The suite. `start` starts the example as its users do; `atTheEnd` is all that its framework prints then. */
export function exampleSuite(
  name: string,
  start: () => Promise<ServerProcess>,
  { atTheEnd = /^$/ }: { atTheEnd?: RegExp } = {},
): void {
  describe(`the example for ${name}`, () => {
    let server: ServerProcess;
    let browser: Browser;

    beforeAll(async () => {
      [server, browser] = await Promise.all([start(), launchChromium()]);
    }, 300_000);

    afterAll(async () => {
      await browser?.close();
      await server?.stop();
    });

    test("the page shows the time, and then another", async () => {
      await showsTheTime(await browser.newPage(), server);
    });

    test("a signal ends the stream, and then the process", async () => {
      const client = new Http1Client(server.port, { path: "/events", headers: { connection: "close" } });
      expect((await within(10_000, "an event", client.next())).type).toBe("time");
      server.newOutput();
      await server.stop("SIGTERM");
      expect(await within(10_000, "the end", client.rest())).toBe("end");
      expect(server.newOutput()).toMatch(atTheEnd);
    });
  });
}

/** Opens the example's page, which has to go with its stream. */
export async function showsTheTime(page: Page, { port }: ServerProcess): Promise<void> {
  const errors: Error[] = [];
  page.on("pageerror", (error) => errors.push(error));
  // By this name, since Next.js in development treats the address as another origin.
  await page.goto(`http://localhost:${port}`, { waitUntil: "domcontentloaded" });
  const time = page.locator("#time", { hasText: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ });
  const first = (await time.textContent()) as string;
  await page.locator("#time", { hasNotText: first }).waitFor();
  await time.waitFor();
  expect(errors).toEqual([]);
  await page.close();
}
