import { build } from "esbuild";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Block, blocksOfDocuments, isSelfContained, unprinted } from "../support/blocks.ts";
import { launchChromium } from "../support/browser.ts";
import { Workspace } from "../support/workspace.ts";

const blocks = blocksOfDocuments();
const workspace = new Workspace(blocks.filter(isSelfContained));
let browser: Awaited<ReturnType<typeof launchChromium>>;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(async () => {
  await browser.close();
  workspace[Symbol.dispose]();
});

const pairs = blocks.filter(({ kind }) => kind === "browser").map((client) => ({ client, server: serverFor(client) }));

test.each(pairs)("$client.name prints in Chromium what it says, with $server.name", async ({ client, server }) => {
  expect(client.prints, "nothing that the block says can be seen").not.toEqual([]);
  const running = await workspace.start(server);
  const page = await browser.newPage();
  try {
    const heard = listen(page);
    const address = `http://127.0.0.1:${running.port}/page-of-the-test`;
    await page.route(address, (route) => route.fulfill({ contentType: "text/html", body: "<!doctype html>" }));
    await page.goto(address);
    await page.addScriptTag({ type: "module", content: await bundle(client) });
    await heard.until((lines) => unprinted(client, lines).length === 0);
  } finally {
    await page.close();
    await running.stop();
  }
});

/** The last server before a client in the same document. */
function serverFor(client: Block): Block {
  const server = blocks.findLast(
    ({ kind, file, line }) => kind === "server" && file === client.file && line < client.line,
  );
  if (server === undefined) throw new Error(`There is no server for ${client.name} before it in its document`);
  return server;
}

async function bundle(block: Block): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [workspace.fileOf(block)],
    bundle: true,
    format: "esm",
    write: false,
  });
  return outputFiles[0]?.text ?? "";
}

/** Collects what a page prints. An error of the page fails the test. */
function listen(page: Page): { until(condition: (lines: readonly string[]) => boolean): Promise<void> } {
  const lines: string[] = [];
  let look: () => void = () => {};
  let fail: (error: Error) => void = () => {};
  page.on("console", (message) => {
    lines.push(message.text());
    look();
  });
  page.on("pageerror", (error) => fail(error));
  return {
    until: (condition) =>
      new Promise((resolve, reject) => {
        look = () => condition(lines) && resolve();
        fail = reject;
        look();
      }),
  };
}
