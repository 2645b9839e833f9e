import { expect, test } from "vitest";
import { launchChromium } from "../support/browser.ts";

test("the browser of the tests starts and has an EventSource of its own", async () => {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    expect(await page.evaluate(() => typeof EventSource)).toBe("function");
  } finally {
    await browser.close();
  }
});
