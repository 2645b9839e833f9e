import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { launchChromium } from "../support/browser.ts";
import { type Demo, startDemo } from "../support/demo.ts";

let browser: Browser;
let demo: Demo;
let complaints: string[];

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

beforeEach(async () => {
  complaints = [];
  demo = await startDemo();
});
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  await demo.kill("SIGKILL");
  expect(complaints).toEqual([]);
  expect(demo.log().replace(/^The demo is at .*\n/, "")).toBe("");
});

/** A window of its own, connected. */
async function openWindow(from: Browser = browser, options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> {
  const page = await (await from.newContext(options)).newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // A server that is away is no defect of the page, nor is a lock that somebody else has.
    const expected = /ERR_|htmx:sseError|\[object Event\]|409 \(Conflict\)/;
    if (message.type() === "error" && !expected.test(message.text())) complaints.push(message.text());
  });
  await page.goto(demo.address);
  await connected(page);
  return page;
}

const connected = (page: Page) => page.waitForSelector("body[data-connection=live]");
const locked = (page: Page, field: string) => page.waitForSelector(`#field-${field}:disabled`);
const free = (page: Page, field: string) => page.waitForSelector(`#field-${field}:enabled`);
const held = (page: Page, field: string) => page.waitForSelector(`.held #field-${field}:focus`);
const nameOf = (page: Page) => page.innerText(".me");

async function say(page: Page, text: string): Promise<void> {
  await page.fill("#chat-text", text);
  await page.press("#chat-text", "Enter");
}

const heard = (page: Page, text: string) => page.locator(".message .text", { hasText: text }).waitFor();

test("a field is locked for all others while one writes, and they see who and what", async () => {
  const [ada, bob] = [await openWindow(), await openWindow()];
  await ada.click("#field-where");
  await held(ada, "where");
  await locked(bob, "where");
  expect(await bob.innerText("#holder-where")).toBe(`${await nameOf(ada)} is writing`);

  await ada.fill("#field-where", 'By the <b>old</b> "oak"');
  await bob.waitForFunction(() => document.querySelector<HTMLInputElement>("#field-where")?.value.includes("old"));
  expect(await bob.inputValue("#field-where")).toBe('By the <b>old</b> "oak"');

  await ada.click("#field-when");
  await free(bob, "where");
  await locked(bob, "when");
  expect(await ada.inputValue("#field-where")).toBe('By the <b>old</b> "oak"');
});

test("of two who reach for a field at once, one gets it", async () => {
  const pages = [await openWindow(), await openWindow()];
  for (const field of ["what", "when", "where", "bring", "note"]) {
    await Promise.all(pages.map((page) => page.focus(`#field-${field}`)));
    const winner = await Promise.race(pages.map((page, index) => held(page, field).then(() => index)));
    await locked(pages[1 - winner] as Page, field);
    await pages[winner]?.focus("#chat-text");
    for (const page of pages) await free(page, field);
  }
});

test("a lock is free the moment its window closes", async () => {
  const [ada, bob] = [await openWindow(), await openWindow()];
  await ada.focus("#field-note");
  await locked(bob, "note");
  await ada.close();
  await free(bob, "note");
  await bob.focus("#field-note");
  await held(bob, "note");
});

test("a lock is free the moment the process of its window is killed", async () => {
  const other = await launchChromium();
  try {
    const [ada, bob] = [await openWindow(other), await openWindow()];
    await ada.focus("#field-bring");
    await locked(bob, "bring");
    const session = await other.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    process.kill(processInfo.find(({ type }) => type === "browser")?.id as number, "SIGKILL");
    await free(bob, "bring");
    await bob.waitForFunction(() => document.querySelector("#connections")?.textContent === "1");
  } finally {
    await other.close();
  }
});

test("what is said in one window is heard in all, and markup stays text", async () => {
  const [ada, bob] = [await openWindow(), await openWindow()];
  const script = "<script>window.broken = true</script><img src=x onerror='window.broken = true'>";
  await say(ada, script);
  await heard(bob, script);
  await heard(ada, script);
  expect(await ada.inputValue("#chat-text")).toBe("");
  await say(bob, "Same here");
  await heard(ada, "Same here");
  for (const page of [ada, bob]) {
    expect(await page.locator(".messages :is(script, img)").count()).toBe(0);
    expect(await page.evaluate(() => "broken" in window)).toBe(false);
  }
  const late = await openWindow();
  await heard(late, "Same here");
  expect(await late.locator(".message").count()).toBe(2);
});

test("a story comes token by token, and its generator stops when the reader leaves", async () => {
  const [ada, bob] = [await openWindow(), await openWindow()];
  const name = await nameOf(ada);
  await ada.click("#story-button");
  await ada.waitForFunction(() => document.querySelector(".tale")?.textContent?.startsWith("Once there was an event"));
  await bob.locator(".tellings .running", { hasText: name }).waitFor();
  expect(await bob.locator(".tale").count()).toBe(0);
  await ada.close();
  const line = bob.locator(".tellings .stopped", { hasText: name });
  await line.waitFor();
  expect(await line.innerText()).toMatch(/stopped after \d+ of \d+ tokens/);
  const frozen = await line.innerText();
  await say(bob, "Is it still going on?");
  await heard(bob, "still going on");
  expect(await line.innerText()).toBe(frozen);
});

test("a story stops when its reader does not want to hear more", async () => {
  const ada = await openWindow();
  await ada.click("#story-button");
  await ada.getByRole("button", { name: "Stop listening" }).click();
  await ada.getByRole("button", { name: "Tell it again" }).waitFor();
  await ada.locator(".tellings .stopped").waitFor();
});

test("the frames are shown as they are on the wire", async () => {
  const ada = await openWindow();
  await say(ada, "On the wire");
  const frame = ada.locator(".frame", { hasText: "On the wire" });
  await frame.waitFor();
  expect(await frame.textContent()).toMatch(
    /^event: chat-message\n(id: \S+\n)?data: <li class="message".*On the wire.*\n$/,
  );
  const all = await ada.locator("#frames").textContent();
  expect(all).toMatch(/^: keep-alive \d+\nretry: \d+\n/);
  expect(all).toMatch(/^event: people$/m);
});

test("the page counts the open windows", async () => {
  const ada = await openWindow();
  const counted = (count: number) =>
    ada.waitForFunction((text) => document.querySelector("#connections")?.textContent === text, String(count));
  await counted(1);
  const bob = await openWindow();
  await counted(2);
  await bob.close();
  await counted(1);
});

test("after a restart of the server the windows come back by themselves and go on", async () => {
  const [ada, bob] = [await openWindow(), await openWindow()];
  await ada.fill("#field-where", "Nowhere in particular");
  await locked(bob, "where");
  await demo.kill("SIGKILL");
  for (const page of [ada, bob]) await page.waitForSelector("body[data-connection=lost]");
  const loaded = () => Promise.all([ada, bob].map((page) => page.evaluate(() => performance.timeOrigin)));
  const before = await loaded();

  demo = await startDemo({ port: demo.port });
  await Promise.all([ada, bob].map(connected));
  // The field that has the focus asks for its lock again.
  await held(ada, "where");
  await locked(bob, "where");
  await ada.locator("#field-where").pressSequentially("!");
  await bob.waitForFunction(() => document.querySelector<HTMLInputElement>("#field-where")?.value.endsWith("!"));
  await say(ada, "Back again");
  await heard(bob, "Back again");
  await bob.locator(".frame", { hasText: "Back again" }).waitFor();
  expect(await loaded()).toEqual(before);
});

test.each([320, 375])("a phone of %i px has nothing to scroll sideways", async (width) => {
  const phone = await openWindow(browser, { viewport: { width, height: 700 }, hasTouch: true, isMobile: true });
  await say(phone, "https://example.org/a/very/long/address/without/any/space/".repeat(4));
  await heard(phone, "https://example.org");
  await phone.click("#story-button");
  await phone.locator(".tellings .running").waitFor();
  expect(await phone.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
});

test("a second server takes the next port", async () => {
  await using second = await startDemo({ port: demo.port });
  expect(second.port).toBeGreaterThan(demo.port);
  expect((await fetch(second.address)).status).toBe(200);
  await second.kill();
});
