/** The layout of the demo in windows of many sizes: every card can be read, however far the page is scrolled. */
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { connected, switchLine, useDemo } from "../support/demo-windows.ts";

const fixture = useDemo();

const sizes = [
  [1280, 720],
  [1280, 800],
  [1440, 900],
  [1100, 700],
  [1920, 1080],
  [390, 844],
] as const;

test("no card covers another one, online and offline, however far the page is scrolled", async () => {
  const page = await fixture.open();
  const overlaps: string[] = [];
  for (const isOnline of [true, false]) {
    if (!isOnline) await switchLine(page);
    for (const [width, height] of sizes) {
      await page.setViewportSize({ width, height });
      for (const share of [0, 0.5, 0.9, 1]) {
        for (const pair of await overlapsAt(page, share))
          overlaps.push(`${width}x${height}, ${isOnline ? "online" : "offline"}, scrolled by ${share}: ${pair}`);
      }
    }
  }
  expect(overlaps).toEqual([]);
  await switchLine(page);
});

test("the page has no horizontal scrollbar, and says in words whether it is connected, on a phone, too", async () => {
  const page = await fixture.open({ viewport: { width: 390, height: 844 } });
  const words = () =>
    page.$eval("#connection", (status) => [
      status.textContent,
      Number.parseFloat(getComputedStyle(status).fontSize) > 0,
    ]);
  const excess = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect([await words(), await excess()]).toEqual([["Connected", true], 0]);
  await switchLine(page);
  expect([await words(), await excess()]).toEqual([["Offline", true], 0]);
  await switchLine(page);
  await fixture.kill();
  await page.waitForFunction(() => document.querySelector("#connection")?.textContent?.startsWith("Reconnecting in"));
  expect(await excess()).toBe(0);
  await fixture.start();
  await connected(page);
});

/** The pairs of cards of which one covers a part of the other, when the page is scrolled by a share of its height. */
function overlapsAt(page: Page, share: number): Promise<string[]> {
  return page.evaluate(async (part) => {
    scrollTo(0, part * (document.documentElement.scrollHeight - innerHeight));
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const cards = Array.from(document.querySelectorAll(".card, .wire"), (card) => ({
      name: card.querySelector("h2")?.textContent,
      box: card.getBoundingClientRect(),
    }));
    return cards.flatMap(({ name, box }, index) =>
      cards
        .slice(index + 1)
        .filter(
          ({ box: other }) =>
            Math.min(box.right, other.right) - Math.max(box.left, other.left) > 1 &&
            Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top) > 1,
        )
        .map((other) => `${name} and ${other.name}`),
    );
  }, share);
}
