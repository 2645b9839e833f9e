import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { tokens } from "../../examples/demo/tale.ts";
import {
  connected,
  disconnected,
  heard,
  held,
  locked,
  messages,
  reads,
  say,
  switchLine,
  useDemo,
} from "../support/demo-windows.ts";

const tale = (page: Page) => page.locator(".tale").evaluate((element) => element.textContent ?? "");

describe("with a log that keeps everything", () => {
  const fixture = useDemo();

  test("a killed and restarted server has lost nothing, without a reload", async () => {
    const pages = [await fixture.open(), await fixture.open()];
    const [ada, bob] = pages as [Page, Page];
    const loaded = () => Promise.all(pages.map((page) => page.evaluate(() => performance.timeOrigin)));
    const before = await loaded();
    await say(ada, "Before the end");
    await ada.fill("#field-where", "Nowhere in particular");
    await reads(bob, "where", "Nowhere in particular");
    await locked(bob, "where");

    await fixture.kill();
    await Promise.all(pages.map(disconnected));
    await ada.getByText(/^Reconnecting in \d s$/).waitFor();
    await fixture.start();
    await Promise.all(pages.map(connected));
    // The field that has the focus asks for its lock again.
    await held(ada, "where");
    await locked(bob, "where");
    await ada.locator("#field-where").press("End");
    await ada.locator("#field-where").pressSequentially("!");
    await reads(bob, "where", "Nowhere in particular!");
    await say(bob, "After it");
    await heard(ada, "After it");

    const late = await fixture.open();
    await reads(late, "where", "Nowhere in particular!");
    for (const page of [...pages, late]) expect(await messages(page)).toEqual(["Before the end", "After it"]);
    expect(await loaded()).toEqual(before);
  });

  test("fields that a killed server had locked are free after its restart", async () => {
    const [ada, bob] = [await fixture.open(), await fixture.open()];
    await ada.focus("#field-what");
    await locked(bob, "what");
    await fixture.kill();
    await ada.close();
    await fixture.start();
    await connected(bob);
    await bob.click("#field-what");
    await held(bob, "what");
    const late = await fixture.open();
    await locked(late, "what");
  });

  test("a window that was offline catches up, in order and without a word twice", async () => {
    const [ada, bob] = [await fixture.open(), await fixture.open()];
    await say(ada, "Here");
    await heard(bob, "Here");
    await switchLine(bob);
    const said = ["Here", ...Array.from({ length: 8 }, (_, index) => `While you were away ${index}`)];
    for (const text of said.slice(1)) await say(ada, text);
    await ada.fill("#field-note", "Written while you were away");
    await switchLine(bob);
    await reads(bob, "note", "Written while you were away");
    await say(ada, "Welcome back");
    await heard(bob, "Welcome back");
    expect(await messages(bob)).toEqual([...said, "Welcome back"]);
    await bob.getByText(/^Back again, with the \d+ events that were waiting/).waitFor();
    // By the client's own reconnect, with the position in its header.
    expect(await bob.locator(".beginning").last().innerText()).toMatch(/^GET \/events\nLast-Event-ID: \S+/);
  });

  test("an offline window whose server is killed loses nothing either", async () => {
    const [ada, bob] = [await fixture.open(), await fixture.open()];
    await switchLine(bob);
    await say(ada, "Before the kill");
    await fixture.kill();
    await fixture.start();
    // The new server knows of no line that is cut.
    await Promise.all([ada, bob].map(connected));
    await say(ada, "After the kill");
    await heard(bob, "After the kill");
    expect(await messages(bob)).toEqual(["Before the kill", "After the kill"]);
  });

  test("events between a page and its stream are received once", async () => {
    const ada = await fixture.open();
    await say(ada, "Before the page");
    const late = await ada.context().newPage();
    const { promise: opened, resolve: open } = Promise.withResolvers<void>();
    await late.route("**/events?*", (route) => opened.then(() => route.continue()));
    await late.goto(fixture.demo.address);
    await say(ada, "Before the stream");
    open();
    await connected(late);
    await heard(late, "Before the stream");
    await say(ada, "After it");
    await heard(late, "After it");
    expect(await messages(late)).toEqual(["Before the page", "Before the stream", "After it"]);
  });

  test("a story survives a reload of its page, and continues", async () => {
    const ada = await fixture.open();
    await ada.click("#story-button");
    await ada.waitForFunction(() => (document.querySelector(".tale")?.textContent ?? "").length > 60);
    const before = await tale(ada);
    await ada.reload();
    await connected(ada);
    expect((await tale(ada)).startsWith(before)).toBe(true);
    await ada.getByRole("button", { name: "Stop listening" }).waitFor();
    await ada.waitForFunction(
      (length) => (document.querySelector(".tale")?.textContent ?? "").length > length + 60,
      before.length,
    );
    expect(tokens.join("").startsWith(await tale(ada))).toBe(true);
  });

  test("the figures of the hub are shown as they change", async () => {
    const ada = await fixture.open();
    const figure = (name: string) =>
      ada.evaluate((heading) => {
        const headings = [...document.querySelectorAll(".hub th")].map((element) => element.textContent);
        return document.querySelectorAll(".hub td")[headings.indexOf(heading)]?.textContent;
      }, name);
    await expect.poll(() => figure("connections"), { timeout: 10_000 }).toBe("1");
    const published = Number(await figure("published"));
    await say(ada, "One more");
    await expect.poll(() => figure("published"), { timeout: 10_000 }).toBe(String(published + 1));
    await expect.poll(() => figure("live"), { timeout: 10_000 }).toBe("1");
  });
});

describe("with a log that keeps five events", () => {
  const fixture = useDemo({ keep: 5 });

  test("a window that missed more is told, and sees how things stand", async () => {
    const [ada, bob] = [await fixture.open(), await fixture.open()];
    await say(ada, "Before");
    await heard(bob, "Before");
    await ada.fill("#field-when", "Soon");
    await reads(bob, "when", "Soon");
    await ada.focus("#chat-text");
    await switchLine(bob);
    for (let index = 1; index <= 40; index++) await say(ada, `Message ${index}`);
    await switchLine(bob);
    await bob.getByText(/^You missed (up to )?\d+ events/).waitFor();
    await heard(bob, "Message 40");
    await say(ada, "And on it goes");
    await heard(bob, "And on it goes");
    const shown = await messages(bob);
    expect(new Set(shown).size).toBe(shown.length);
    expect(shown.at(-1)).toBe("And on it goes");
    // The fields are not lost with the events that wrote them.
    await reads(bob, "when", "Soon");
  });
});
