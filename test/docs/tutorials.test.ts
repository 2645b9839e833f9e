/** The pages that say "save this, run it, open it", followed to the letter with the packed package. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { blocksOfDocuments } from "../support/blocks.ts";
import { launchChromium } from "../support/browser.ts";
import { npm, root } from "../support/package.ts";
import { ServerProcess } from "../support/server-process.ts";

const servers = blocksOfDocuments().filter(({ kind }) => kind === "server");
const preload = new URL("../support/listen-on-port.mjs", import.meta.url).href;
let browser: Browser;
let folder: string;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sourcecast-tutorial-"));
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  const options = ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts"];
  execFileSync(npm.command, [...npm.args, ...options, inject("tarball")], { cwd: folder, stdio: "pipe" });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.each([
  { document: "README.md", program: "news.mjs", index: 0, resumes: true },
  { document: "docs/getting-started.md", program: "server.ts", index: 0, resumes: false },
  { document: "docs/getting-started.md", program: "server.ts", index: 1, resumes: true },
])("$document, server $index in $program", ({ document, program, index, resumes }) => {
  const text = readFileSync(join(root, document), "utf8");
  const block = servers.filter(({ file }) => file === document)[index];

  test("serves a page on which an event appears, and continues after a kill -9 if its log lasts", async () => {
    expect(text).toContain(`\`${program}\``);
    writeFileSync(join(folder, program), block?.code ?? "");
    for (const [, html = ""] of text.matchAll(/^```html\n(.*?)^```$/gms))
      writeFileSync(join(folder, "page.html"), html);
    let server = await start(program);
    try {
      const page = await browser.newPage();
      await page.goto(server.origin);
      const before = await page.evaluate(eventInPage, "");
      if (!resumes) return;
      await server.stop("SIGKILL");
      server = await start(program, server.port);
      // The page that was reloaded after a loss would not have what it was told before.
      await page.evaluate("window.isFirstLoad = true");
      expect(await page.evaluate(eventInPage, before)).not.toBe(before);
      expect(await page.evaluate("window.isFirstLoad")).toBe(true);
      await page.close();
    } finally {
      await server.stop("SIGKILL");
    }
    expect(server.newOutput()).toBe("");
  });
});

function start(program: string, port?: number): Promise<ServerProcess> {
  const args = ["--disable-warning=ExperimentalWarning", "--import", preload, program];
  return ServerProcess.start({ args, cwd: folder, ...(port === undefined ? {} : { port }) });
}

/** Runs in the page: resolves with its text when that holds a time of day and differs from `before`. */
function eventInPage(before: string): Promise<string> {
  const { body } = (globalThis as unknown as { document: { body: { innerText: string } } }).document;
  return new Promise((resolve) => {
    const look = (): void => {
      if (/\d:\d\d:\d\d/.test(body.innerText) && body.innerText !== before) resolve(body.innerText);
      else setTimeout(look, 50);
    };
    look();
  });
}
