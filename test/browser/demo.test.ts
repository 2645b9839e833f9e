import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { launchChromium } from "../support/browser.ts";
import { startDemo } from "../support/demo.ts";
import {
  connected,
  disconnected,
  free,
  heard,
  held,
  locked,
  messages,
  nameOf,
  reads,
  say,
  switchLine,
  useDemo,
} from "../support/demo-windows.ts";

const fixture = useDemo();

/** As long as everything takes that others have to see. */
const counted = (page: Page, count: number) =>
  page.waitForFunction((text) => document.querySelector("#connections")?.textContent === text, String(count));

test("a field is locked for all others while one writes, and they see who and what", async () => {
  const [ada, bob] = [await fixture.open(), await fixture.open()];
  const text = 'By the <b>old</b> "oak"';
  await ada.click("#field-where");
  await held(ada, "where");
  await locked(bob, "where");
  expect(await bob.innerText("#holder-where")).toBe(`${await nameOf(ada)} is writing`);
  await ada.fill("#field-where", text);
  await reads(bob, "where", text);

  await ada.click("#field-when");
  await free(bob, "where");
  await locked(bob, "when");
  await reads(ada, "where", text);
});

test("of two who reach for a field at once, one gets it", async () => {
  const pages = [await fixture.open(), await fixture.open()];
  for (const field of ["what", "when", "where", "bring", "note"]) {
    await Promise.all(pages.map((page) => page.focus(`#field-${field}`)));
    const winner = await Promise.race(pages.map((page, index) => held(page, field).then(() => index)));
    await locked(pages[1 - winner] as Page, field);
    await pages[winner]?.focus("#chat-text");
    for (const page of pages) await free(page, field);
  }
});

test("a window that goes to the background keeps its lock", async () => {
  const [ada, bob] = [await fixture.open(), await fixture.open()];
  await ada.focus("#field-what");
  await held(ada, "what");
  // The state that a browser reports then: the field loses the focus and stays the active element.
  await ada.evaluate(() => document.activeElement?.dispatchEvent(new FocusEvent("focusout", { bubbles: true })));
  await say(bob, "Still there?");
  await heard(ada, "Still there?");
  await locked(bob, "what");
});

test("a lock is free the moment its window closes", async () => {
  const [ada, bob] = [await fixture.open(), await fixture.open()];
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
    const [ada, bob] = [await fixture.open({}, other), await fixture.open()];
    await ada.focus("#field-bring");
    await locked(bob, "bring");
    await counted(bob, 2);
    const session = await other.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    process.kill(processInfo.find(({ type }) => type === "browser")?.id as number, "SIGKILL");
    await free(bob, "bring");
    await counted(bob, 1);
  } finally {
    await other.close();
  }
});

test("a message from one window reaches all of them, and markup stays text", async () => {
  const [ada, bob] = [await fixture.open(), await fixture.open()];
  const script = "<script>window.broken = true</script><img src=x onerror='window.broken = true'>";
  await say(ada, script);
  await heard(bob, script);
  expect(await ada.inputValue("#chat-text")).toBe("");
  await say(bob, "Same here");
  await heard(ada, "Same here");
  const late = await fixture.open();
  for (const page of [ada, bob, late]) {
    expect(await messages(page)).toEqual([script, "Same here"]);
    expect(await page.locator(".messages :is(script, img)").count()).toBe(0);
    expect(await page.evaluate(() => "broken" in window)).toBe(false);
  }
});

test("a story comes token by token, and its generator stops when the reader leaves", async () => {
  const [ada, bob] = [await fixture.open(), await fixture.open()];
  const name = await nameOf(ada);
  await ada.click("#story-button");
  await ada.waitForFunction(() => document.querySelector(".tale")?.textContent?.startsWith("Once there was an event"));
  await bob.locator(".tellings .running", { hasText: name }).waitFor();
  expect(await bob.locator(".tale").count()).toBe(0);
  await ada.close();
  const line = bob.locator(".tellings .stopped", { hasText: name });
  await line.waitFor();
  expect(await line.innerText()).toMatch(/stopped after \d+ of \d+ tokens: the reader left/);
  const frozen = await line.innerText();
  await say(bob, "Is it still going on?");
  expect(await line.innerText()).toBe(frozen);
});

test("a window that stays open over a restart shows how to kill the new process, and that its story has broken off", async () => {
  const ada = await fixture.open();
  const command = () => ada.innerText("footer code[sse-swap]");
  const before = await command();
  expect(before).toMatch(/^kill -9 \d+$/);
  await ada.click("#story-button");
  await ada.waitForFunction(() => document.querySelector(".tale")?.textContent?.startsWith("Once there was"));
  expect(await ada.locator(".breaks-off").count()).toBe(0);
  await fixture.kill();
  await disconnected(ada);
  await fixture.start();
  await connected(ada);
  await ada.locator(".control .breaks-off").waitFor();
  await ada.waitForFunction((old) => document.querySelector("footer code[sse-swap]")?.textContent !== old, before);
  expect(await command()).toMatch(/^kill -9 \d+$/);
  await ada.reload();
  await connected(ada);
  await ada.locator(".control .breaks-off").waitFor();
});

test("a story stops when its reader stops it", async () => {
  const ada = await fixture.open();
  await ada.click("#story-button");
  await ada.getByRole("button", { name: "Stop listening" }).click();
  await ada.getByRole("button", { name: "Tell me a story" }).waitFor();
  await ada.locator(".tellings .stopped", { hasText: "had enough" }).waitFor();
});

test("the frames are shown as they are on the wire", async () => {
  const ada = await fixture.open();
  await say(ada, "On the wire");
  const frame = ada.locator(".frame", { hasText: "On the wire" });
  await frame.waitFor();
  expect(await frame.textContent()).toMatch(
    /^event: chat-message\nid: \S+\ndata: <li class="message".*On the wire.*\n$/,
  );
  const all = await ada.locator("#frames").textContent();
  expect(all).toMatch(/^GET \/events: keep-alive \d+\nretry: \d+\n/);
  expect(all).toMatch(/^event: people$/m);
});

test("the page counts the open windows", async () => {
  const ada = await fixture.open();
  await counted(ada, 1);
  const bob = await fixture.open();
  await counted(ada, 2);
  await bob.close();
  await counted(ada, 1);
});

test("the windows of one browser leave each other connections enough to post", async () => {
  const first = await fixture.open();
  const context = first.context();
  for (let count = 2; count <= 5; count++) {
    const next = await context.newPage();
    await next.goto(fixture.demo.address);
    await next.waitForSelector("body[data-connection=live]");
    await say(next, `From window ${count}`);
    await heard(first, `From window ${count}`);
  }
});

test("a window that is offline says so: its switch, its counts, a message that cannot be sent", async () => {
  const [ada, bob] = [await fixture.open(), await fixture.open()];
  await counted(ada, 2);
  expect(await ada.innerText("#line-hint")).toContain("Switch off");
  await switchLine(ada);
  expect(await ada.innerText("#line-hint")).toContain("catches up");
  expect(await ada.innerText("#people")).toContain("unknown");
  expect(await ada.locator("#figures td").allInnerTexts()).toContain("–");
  await ada.fill("#chat-text", "Into the void");
  await ada.press("#chat-text", "Enter");
  await ada.getByText("Not sent: this window is offline").waitFor();
  expect(await ada.inputValue("#chat-text")).toBe("Into the void");
  await ada.click("#story-button");
  await ada.getByText("This window is offline: switch it on first").waitFor();
  await switchLine(ada);
  await counted(ada, 2);
  await ada.getByText("Back online").waitFor();
  await ada.press("#chat-text", "Enter");
  await heard(bob, "Into the void");
});

test("a long text is shown whole in its field, on every window", async () => {
  const [ada, bob] = [await fixture.open(), await fixture.open({ viewport: { width: 390, height: 800 } })];
  const text = "A basket of bread, two kinds of cheese, and a very long story about a lost packet";
  await ada.fill("#field-bring", text.slice(0, 80));
  await reads(bob, "bring", text.slice(0, 80));
  for (const page of [ada, bob]) {
    const hidden = await page.$eval("#field-bring", ({ scrollHeight, clientHeight }) => scrollHeight - clientHeight);
    expect(hidden).toBeLessThanOrEqual(1);
  }
});

test.each([320, 375])("a phone of %i px has nothing to scroll sideways", async (width) => {
  const phone = await fixture.open({ viewport: { width, height: 700 }, hasTouch: true, isMobile: true });
  await say(phone, "https://example.org/a/very/long/address/without/any/space/".repeat(4));
  await phone.click("#story-button");
  await phone.locator(".tellings .running").waitFor();
  await phone.waitForSelector(".hub td");
  expect(await phone.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
});

test("a second server takes the next port", async () => {
  const second = await startDemo({ port: fixture.demo.port, database: ":memory:" });
  expect(second.port).toBeGreaterThan(fixture.demo.port);
  expect((await fetch(second.address)).status).toBe(200);
  await second.kill();
});
