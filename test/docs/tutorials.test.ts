/** The pages that say "save this, run it, open it", followed to the letter with the packed package. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../support/browser.ts";
import { Http1Client } from "../support/client.ts";
import { openPage, Tutorial } from "../support/tutorial.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe.each([
  { document: "README.md", program: "news.mjs", index: 0, resumes: true },
  { document: "docs/getting-started.md", program: "server.ts", index: 0, resumes: false },
  { document: "docs/getting-started.md", program: "server.ts", index: 1, resumes: true },
  { document: "docs/recipes/htmx.md", program: "server.ts", index: 0, resumes: false },
])("$document, server $index in $program", ({ document, program, index, resumes }) => {
  test("serves a page on which an event appears, and continues after a kill -9 if its log lasts", async () => {
    using tutorial = new Tutorial(document);
    tutorial.save(program, index);
    let server = await tutorial.start(program);
    try {
      const page = await openPage(browser, server.origin);
      const before = await eventInPage(page);
      if (!resumes) return;
      await server.stop("SIGKILL");
      server = await tutorial.start(program, server.port);
      // A page that was reloaded after a loss would not have this.
      await page.evaluate("window.isFirstLoad = true");
      expect(await eventInPage(page, before)).not.toBe(before);
      expect(await page.evaluate("window.isFirstLoad")).toBe(true);
      await page.close();
    } finally {
      await server.stop("SIGKILL");
    }
    expect(server.newOutput()).toBe("");
  });
});

test("docs/recipes/several-processes.md: the server delivers what the worker publishes", async () => {
  using tutorial = new Tutorial("docs/recipes/several-processes.md");
  tutorial.save("server.ts");
  tutorial.save("worker.ts", 0, "complete");
  await using server = await tutorial.start("server.ts");
  const client = await new Http1Client(server.port, { path: "/news" }).opened();
  await tutorial.run("worker.ts");
  await client.until(() => client.parser.events.some(({ data }) => data === '{"title":"The report is ready"}'));
  client.leave();
});

/** Resolves with the text of the page when that holds a time of day and differs from `before`. */
async function eventInPage(page: Page, before = ""): Promise<string> {
  const hasEvent =
    "(before) => /\\d:\\d\\d:\\d\\d/.test(document.body.innerText) && document.body.innerText !== before";
  await page.waitForFunction(`(${hasEvent})(${JSON.stringify(before)})`);
  return page.innerText("body");
}
