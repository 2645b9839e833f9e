/** The pages that say "save this, run it, open it", followed to the letter with the packed package. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { blocksOfDocuments } from "../support/blocks.ts";
import { launchChromium } from "../support/browser.ts";
import { Http1Client } from "../support/client.ts";
import { npm, root } from "../support/package.ts";
import { runQuietly } from "../support/run.ts";
import { ServerProcess } from "../support/server-process.ts";

const blocks = blocksOfDocuments();
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
  { document: "docs/recipes/htmx.md", program: "server.ts", index: 0, resumes: false },
])("$document, server $index in $program", ({ document, program, index, resumes }) => {
  test("serves a page on which an event appears, and continues after a kill -9 if its log lasts", async () => {
    save(document, program, index);
    let server = await start(program);
    try {
      const page = await open(server.origin);
      const before = await eventInPage(page);
      if (!resumes) return;
      await server.stop("SIGKILL");
      server = await start(program, server.port);
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
  const document = "docs/recipes/several-processes.md";
  save(document, "server.ts", 0);
  save(document, "worker.ts", 0, "complete");
  await using server = await start("server.ts");
  const client = await new Http1Client(server.port, { path: "/news" }).opened();
  await runQuietly(process.execPath, [...flags, "worker.ts"], { cwd: folder });
  await client.until(() => client.parser.events.some(({ data }) => data === '{"title":"The report is ready"}'));
  client.leave();
});

/** Writes a block into the file that the page names, and a page of HTML next to it. */
function save(document: string, file: string, index: number, kind = "server"): void {
  const text = readFileSync(join(root, document), "utf8");
  expect(text).toContain(`\`${file}\``);
  const block = blocks.filter((one) => one.file === document && one.kind === kind)[index];
  writeFileSync(join(folder, file), block?.code ?? "");
  const html = /^```html\n(.*?)^```$/ms.exec(text)?.[1];
  if (html !== undefined) writeFileSync(join(folder, "page.html"), html);
}

const flags = ["--disable-warning=ExperimentalWarning"];

function start(program: string, port?: number): Promise<ServerProcess> {
  const args = [...flags, "--import", preload, program];
  return ServerProcess.start({ args, cwd: folder, ...(port === undefined ? {} : { port }) });
}

/** A page in which scripts of the CDN are those of the installed packages, if their versions are the same. */
async function open(url: string): Promise<Page> {
  const page = await browser.newPage();
  await page.route("https://cdn.jsdelivr.net/npm/*@*/**", (route) => {
    const [, name = "", version, file = ""] = /npm\/([^@]+)@([^/]+)\/(.+)$/.exec(route.request().url()) ?? [];
    const installed = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8")).version;
    return version === installed ? route.fulfill({ path: join(root, "node_modules", name, file) }) : route.abort();
  });
  await page.goto(url);
  return page;
}

/** Resolves with the text of the page when that holds a time of day and differs from `before`. */
async function eventInPage(page: Page, before = ""): Promise<string> {
  const hasEvent =
    "(before) => /\\d:\\d\\d:\\d\\d/.test(document.body.innerText) && document.body.innerText !== before";
  await page.waitForFunction(`(${hasEvent})(${JSON.stringify(before)})`);
  return page.innerText("body");
}
