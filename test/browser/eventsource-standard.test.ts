// The standard's rules for EventSource in Chromium: the class of this package in a page and in a worker. The browser's own class
// runs them too, as the proof of the cases.
import { join } from "node:path";
import { build } from "esbuild";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../support/browser.ts";
import { cases, impossible, notInChromium } from "../support/eventsource-cases.ts";
import { EventSourceServer } from "../support/eventsource-server.ts";
import { root } from "../support/package.ts";

/** Runs cases where it is loaded: in a page by a call, in a worker by messages. */
const script = `
  import { EventSource as Own } from ${JSON.stringify(join(root, "src/client/eventsource.ts"))};
  import { runCase } from ${JSON.stringify(join(root, "test/support/eventsource-cases.ts"))};
  globalThis.run = (name, isOwn, options) => runCase(name, isOwn ? Own : EventSource, options);
  if (!("document" in globalThis)) {
    onmessage = async ({ data }) => postMessage({ name: data.name, failure: await run(data.name, true, data.options) });
  }
`;

/** The code of the script above in a page. */
declare function run(name: string, isOwn: boolean, options: object): Promise<string | null>;
/** The worker of a page. */
declare const caseWorker: Worker;

let server: EventSourceServer;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: { contents: script, resolveDir: root, loader: "ts" },
    bundle: true,
    write: false,
    format: "iife",
    target: "es2023",
    keepNames: true,
  });
  const code = outputFiles[0]?.text ?? "";
  server = await EventSourceServer.start(code);
  browser = await launchChromium();
  page = await browser.newPage();
  await page.goto(`${server.origin}/`);
  await page.evaluate(code);
  await page.evaluate(() => Object.assign(globalThis, { caseWorker: new Worker("/worker.js") }));
});
afterAll(async () => {
  await browser.close();
  await server[Symbol.asyncDispose]();
});

const optionsFor = (environment: string) => {
  const { origin, otherOrigin } = server;
  return { origin, otherOrigin, environment };
};

// One after the other: a page has six connections to a host.
describe("the class in a page", () => {
  test.each(Object.keys(cases))("%s", async (name) => {
    const options = optionsFor("page");
    const failure = await page.evaluate(([name, options]) => run(name, true, options), [name, options] as const);
    if (name in impossible) expect(failure, "the case holds: remove it from the list").not.toBeNull();
    else expect(failure).toBeNull();
  });
});

describe("the class in a worker", () => {
  test.each(Object.keys(cases))("%s", async (name) => {
    const failure = await page.evaluate(
      ([name, options]) =>
        new Promise((resolve) => {
          caseWorker.onmessage = ({ data }) => resolve(data.failure);
          caseWorker.postMessage({ name, options });
        }),
      [name, optionsFor("worker")] as const,
    );
    if (name in impossible) expect(failure, "the case holds: remove it from the list").not.toBeNull();
    else expect(failure).toBeNull();
  });
});

describe("the browser's own class", () => {
  test.each(Object.keys(cases))("%s", async (name) => {
    const options = optionsFor("native");
    const failure = await page.evaluate(([name, options]) => run(name, false, options), [name, options] as const);
    if (name in notInChromium) expect(failure, "Chromium passes: remove it from the list").not.toBeNull();
    else expect(failure).toBeNull();
  });
});
