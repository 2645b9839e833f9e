// The example of a cluster, as `npm run cluster` starts it: its page moves between processes and misses nothing.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { Cluster } from "../../scripts/lib/cluster.mjs";
import { launchChromium } from "../support/browser.ts";
import { eventually } from "../support/deadline.ts";
import { root } from "../support/package.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());
afterEach(() => {
  vi.doUnmock("../../scripts/lib/proxies.mjs");
});

async function start(on: "sqlite" | "redis" | "nats" | "postgres"): Promise<Cluster> {
  const cluster = await Cluster.start(on);
  onTestFinished(() => cluster.close());
  return cluster;
}

async function open(cluster: Cluster): Promise<Page> {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  const failures: unknown[] = [];
  page.on("pageerror", (error) => failures.push(error));
  onTestFinished(() => expect(failures).toEqual([]));
  await page.goto(cluster.address);
  await page.waitForSelector(".serving");
  return page;
}

const serving = (page: Page) => page.getAttribute(".serving", "data-name", { timeout: 15_000 }) as Promise<string>;
const act = (page: Page, name: string, action: string) =>
  page.click(`.process[data-name="${name}"] [data-action="${action}"]`);
const isIn = (page: Page, name: string, state: string) =>
  page.waitForSelector(`.process[data-name="${name}"][data-state="${state}"]`, { timeout: 15_000 });
const figure = async (page: Page, id: string) => Number((await page.innerText(`#${id}`)).replaceAll(",", ""));
const moves = (page: Page) => page.locator("#moves .path").allInnerTexts();

/**
 * How many events each process has published, according to the log. For a second after a failed request, nginx answers 502 for
 * a process that was not up.
 */
async function publishedBy(address: string): Promise<Record<string, number>> {
  const response = await eventually(
    "a process answers",
    () => fetch(new URL("/published", address)),
    ({ status }) => status === 200,
  );
  return ((await response.json()) as { published: Record<string, number> }).published;
}

/** Everything that the log has got so far has arrived, once, and nothing was declared as lost. */
async function expectComplete(page: Page): Promise<void> {
  const published = await publishedBy(page.url());
  const inLog = Object.values(published).reduce((sum, number) => sum + number, 0);
  expect(inLog).toBeGreaterThan(0);
  const before = await figure(page, "published");
  await eventually(
    "every published event has been delivered",
    async () => [await figure(page, "delivered"), await figure(page, "pending")] as const,
    ([delivered, pending]) => delivered > before && pending === 0,
  );
  expect([await figure(page, "declared"), await figure(page, "twice")]).toEqual([0, 0]);
  expect(await page.innerText("#verdict")).toContain("Nothing missed, nothing twice");
}

test("a page moves from a process that is killed, drained or restarted, and misses nothing", async () => {
  const page = await open(await start("sqlite"));
  await expectComplete(page);

  const killed = await serving(page);
  await Promise.all([page.click("#burst"), act(page, killed, "kill")]);
  await isIn(page, killed, "down");
  const drained = await serving(page);
  expect(drained).not.toBe(killed);
  await expectComplete(page);

  await act(page, drained, "drain");
  await isIn(page, drained, "down");
  const last = await serving(page);
  expect([killed, drained]).not.toContain(last);
  await expectComplete(page);

  await act(page, killed, "restart");
  await isIn(page, killed, "up");
  const pidOf = (name: string) => page.innerText(`.process[data-name="${name}"] .pid`);
  const pid = await pidOf(last);
  await act(page, last, "restart");
  await eventually(
    "the page has moved",
    () => moves(page),
    ({ length }) => length === 3,
  );
  await eventually(
    "another process is up",
    () => pidOf(last),
    (other) => /\d/.test(other) && other !== pid,
  );
  await isIn(page, last, "up");
  // Whichever process had the fewest streams: the one that was killed before, or the new one.
  const end = await serving(page);
  expect([killed, last]).toContain(end);
  await expectComplete(page);

  expect(await moves(page)).toEqual([
    `${last} was drained → ${end}`,
    `${drained} was drained → ${last}`,
    `${killed} was killed → ${drained}`,
  ]);
  // The bars show that each of them has delivered.
  const bars = await page
    .locator("#strip i")
    .evaluateAll((all) => all.map((bar) => (bar as HTMLElement).dataset.process));
  expect(new Set(bars)).toContain(end);
});

test("a page waits while no process is up, and continues with the first", async () => {
  const page = await open(await start("sqlite"));
  for (const name of ["a", "b", "c"]) await act(page, name, "kill");
  await page.getByText("Events wait in the log").waitFor();
  await act(page, "b", "restart");
  await page.waitForSelector('.serving[data-name="b"]', { timeout: 15_000 });
  await expectComplete(page);
});

test.each(["redis", "nats", "postgres"] as const)(
  "all processes serve the events of all processes on %s",
  async (on) => {
    const cluster = await start(on);
    const lives = await eventually(
      "all three publish",
      async () => Object.keys(await publishedBy(cluster.address)),
      (all) => all.length === 3,
    );
    expect(lives.map((life) => life.split(".")[0]).toSorted()).toEqual(["a", "b", "c"]);
    const folder = /\((\/\S+)\)/.exec(cluster.store)?.[1];
    expect(folder).toBeUndefined();
    await cluster.close();
    await expect(fetch(cluster.address)).rejects.toThrow();
  },
);

test("it leaves nothing behind", async () => {
  const cluster = await start("sqlite");
  const [, file = ""] = /\((.+)\)/.exec(cluster.store) ?? [];
  expect(existsSync(file)).toBe(true);
  await cluster.close();
  expect(existsSync(join(file, ".."))).toBe(false);
  await expect(fetch(cluster.address)).rejects.toThrow();
});

test("without nginx, it says how to install it", async () => {
  vi.resetModules();
  vi.doMock("../../scripts/lib/proxies.mjs", () => ({ findProxy: () => undefined, instruction: () => "" }));
  const { Cluster: Mocked } = await import("../../scripts/lib/cluster.mjs");
  await expect(Mocked.start("sqlite")).rejects.toThrow(/nginx is missing.*apt-get install nginx/);
});

test("an unknown store is rejected, with those that there are", async () => {
  const run = promisify(execFile)(process.execPath, [join(root, "scripts/cluster.mjs"), "--on", "mysql"], {
    cwd: root,
  });
  await expect(run).rejects.toMatchObject({
    code: 1,
    stderr: '--on takes one of redis, nats, postgres, sqlite; it got "mysql"\n',
  });
});
