/** examples/chat in Chromium: an answer survives a reload, a second window and the death of the server. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { launchChromium } from "../support/browser.ts";
import { startExample } from "../support/fixture.ts";
import type { ServerProcess } from "../support/server-process.ts";

let browser: Browser;
let server: ServerProcess;

beforeAll(async () => {
  browser = await launchChromium();
  server = await startExample("chat");
});
afterAll(async () => {
  await browser.close();
  await server.stop();
  // One line for each server that was started, and one for the one that was killed.
  expect(
    server
      .newOutput()
      .split("\n")
      .filter((line) => !line.startsWith("http://")),
  ).toEqual(["The server was killed. A new one starts.", ""]);
});

/** A model takes its time. */
const patient = { timeout: 20_000 };
const question = "li.user";
const answer = "li.assistant:not(.thinking)";

/** Opens a chat in a window of its own. */
async function open(chat: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(`${server.origin}/${chat}`);
  return page;
}

/** The text of the newest answer, once it has at least so many characters. */
async function written(page: Page, length: number): Promise<string> {
  const newest = page.locator(answer).last();
  await expect
    .poll(async () => (await newest.count()) > 0 && (await newest.innerText()).length, patient)
    .toBeGreaterThan(length);
  return newest.innerText();
}

test("a reload and a second window show the answer that grows, once, and either may stop it", async () => {
  const page = await open("reload");
  await page.click("text=Send");
  const before = await written(page, 30);
  await page.reload();
  const other = await open("reload");
  for (const window of [page, other]) {
    expect((await written(window, before.length)).startsWith(before.slice(0, 20))).toBe(true);
    expect(await window.locator(answer).count()).toBe(1);
    expect(await window.locator(question).count()).toBe(1);
  }
  await other.click("text=Stop");
  for (const window of [page, other]) {
    await window.waitForSelector("text=You stopped this answer.");
    await window.waitForSelector("text=Send");
  }
  expect(await written(page, 0)).toBe(await written(other, 0));
  // The words so far are stored, and the chat continues.
  await page.reload();
  expect(await written(page, 0)).toBe(await written(other, 0));
  await page.click("text=Send");
  await expect.poll(() => other.locator(answer).count(), patient).toBe(2);
  await page.close();
  await other.close();
});

test("a server that is killed leaves the words so far, and the page is told that the rest is missing", async () => {
  const page = await open("kill");
  await page.click("text=Send");
  const before = await written(page, 30);
  await page.click("text=kill -9");
  for (let time = 0; time < 2; time++) {
    await page.waitForSelector("text=The server that wrote this was killed.");
    expect((await written(page, 0)).startsWith(before.slice(0, 20))).toBe(true);
    await page.reload();
  }
  await page.click("text=Send");
  await expect.poll(() => page.locator(answer).count(), patient).toBe(2);
  await page.close();
});

test("a chat that is deleted is empty in every window, for the one that writes, too, and continues", async () => {
  const [page, other] = [await open("delete"), await open("delete")];
  await page.click("text=Send");
  await written(page, 30);
  await written(other, 30);
  await other.click("text=Delete chat");
  for (const window of [page, other]) {
    await window.waitForSelector("text=Ask something.");
    await window.waitForSelector("text=Send");
    expect(await window.locator(answer).count()).toBe(0);
  }
  await page.reload();
  await page.waitForSelector("text=Ask something.");
  await page.click("text=Send");
  await written(other, 30);
  await page.close();
  await other.close();
});
