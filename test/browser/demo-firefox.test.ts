/** The main path of the demo in Firefox: two windows, a lock, a chat, a server that is killed. */
import type { Browser, BrowserContext, Page } from "puppeteer-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { eventually } from "../support/deadline.ts";
import { useDemoServer } from "../support/demo-server.ts";
import { launchFirefox } from "../support/firefox.ts";

/** Messages of htmx about a server that is away. */
const expected = /htmx:sseError|\[object Event\]/;

const server = useDemoServer();
let browser: Browser;

beforeAll(async () => {
  browser = await launchFirefox();
});
afterAll(() => browser.close());
afterEach(async () => {
  for (const context of browser.browserContexts())
    if (context !== browser.defaultBrowserContext()) await context.close();
});

test("each window sees what the other writes, and a killed and restarted server has lost nothing", async () => {
  const [ada, bob] = [await open(), await open()];
  const loaded = () => Promise.all([ada, bob].map((page) => page.evaluate(() => performance.timeOrigin)));
  const before = await loaded();
  await say(ada, "Before the end");
  await hears(bob, "Before the end");
  await focus(ada, "where");
  await bob.waitForSelector("#field-where:disabled");
  await ada.keyboard.press("Home");
  await ada.keyboard.type("Perhaps ");
  await reads(bob, "where", /^Perhaps \S/);

  await server.kill();
  await Promise.all([ada, bob].map((page) => page.waitForSelector("body[data-connection=lost]")));
  await server.start();
  await Promise.all([ada, bob].map(connected));
  await ada.waitForSelector(".held #field-where:focus");
  await bob.waitForSelector("#field-where:disabled");
  await focus(ada, "where");
  await ada.keyboard.press("End");
  await ada.keyboard.type(", or not");
  await reads(bob, "where", /^Perhaps \S.*, or not$/);
  await say(bob, "After it");
  await hears(ada, "After it");
  for (const page of [ada, bob]) expect(await messages(page)).toEqual(["Before the end", "After it"]);
  expect(await loaded()).toEqual(before);
});

test("a lock is free the moment its window closes", async () => {
  const [ada, bob] = [await open(), await open()];
  await focus(ada, "note");
  await bob.waitForSelector("#field-note:disabled");
  await ada.close();
  await bob.waitForSelector("#field-note:enabled");
  await focus(bob, "note");
  await bob.waitForSelector(".held #field-note:focus");
});

test("a window that was offline catches up, in order and without a word twice", async () => {
  const [ada, bob] = [await open(), await open()];
  const said = ["Here", "While you were away", "Still away?", "Welcome back"];
  await say(ada, "Here");
  await hears(bob, "Here");
  await bob.click("[role=switch]");
  await bob.waitForSelector("body[data-connection=lost]");
  for (const text of said.slice(1, 3)) await say(ada, text);
  await bob.click("[role=switch]");
  await connected(bob);
  await say(ada, "Welcome back");
  await hears(bob, "Welcome back");
  expect(await messages(bob)).toEqual(said);
});

test("a page that the browser restores reconnects, and shows the messages in between", async () => {
  const [ada, bob] = [await open(), await open()];
  await bob.goto("about:blank");
  await say(ada, "Have you gone?");
  await bob.goBack();
  await connected(bob);
  await hears(bob, "Have you gone?");
  await say(ada, "You are back");
  await hears(bob, "You are back");
});

test("the windows of one browser leave each other connections enough to post", async () => {
  const first = await open();
  for (let count = 2; count <= 5; count++) {
    const next = await open(first.browserContext());
    await say(next, `From window ${count}`);
    await hears(first, `From window ${count}`);
  }
});

/** A window, connected; in a session of its own unless one is given. */
async function open(session?: BrowserContext): Promise<Page> {
  const page = await (session ?? (await browser.createBrowserContext())).newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => server.complaints.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !expected.test(message.text())) server.complaints.push(message.text());
  });
  await page.goto(server.demo.address);
  await connected(page);
  return page;
}

function connected(page: Page): Promise<unknown> {
  return page.waitForSelector("body[data-connection=live]");
}

/** In the window in front: Firefox tells the others nothing of focus, as with real windows. */
async function focus(page: Page, field: string): Promise<void> {
  await page.bringToFront();
  await page.focus(`#field-${field}`);
}

async function say(page: Page, text: string): Promise<void> {
  await page.bringToFront();
  await page.type("#chat-text", text);
  await page.keyboard.press("Enter");
  await hears(page, text);
}

async function hears(page: Page, text: string): Promise<void> {
  await eventually(
    `it receives "${text}"`,
    () => messages(page),
    (all) => all.includes(text),
  );
}

function messages(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll(".message .text")].map(({ textContent }) => textContent ?? ""),
  );
}

async function reads(page: Page, field: string, text: RegExp): Promise<void> {
  const value = () => page.$eval(`#field-${field}`, (input) => (input as HTMLInputElement).value);
  await eventually(`${field} reads ${text}`, value, (found) => text.test(found));
}
