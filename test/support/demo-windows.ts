/** Windows of the demo in a real browser, and what people do in them. */
import type { Browser, BrowserContextOptions, ElementHandle, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll } from "vitest";
import { launchChromium } from "./browser.ts";
import type { DemoOptions } from "./demo.ts";
import { type DemoServer, useDemoServer } from "./demo-server.ts";

/** Messages of the browser about a server that is away and about a lock that another window has. */
const expected = /ERR_|htmx:sseError|\[object Event\]|409 \(Conflict\)/;

export interface DemoFixture extends Omit<DemoServer, "complaints"> {
  /** Opens a window in a session of its own, connected. */
  open(options?: BrowserContextOptions, browser?: Browser): Promise<Page>;
}

/** A browser for the file, and a server for each test, which fails on errors that a page or the server prints. */
export function useDemo(options: Partial<DemoOptions> = {}): DemoFixture {
  const server = useDemoServer(options);
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  return {
    get demo() {
      return server.demo;
    },
    kill: server.kill,
    start: server.start,
    async open(contextOptions = {}, from = browser) {
      const page = await (await from.newContext(contextOptions)).newPage();
      page.setDefaultTimeout(15_000);
      page.on("pageerror", (error) => server.complaints.push(String(error)));
      page.on("console", (message) => {
        if (message.type() === "error" && !expected.test(message.text())) server.complaints.push(message.text());
      });
      await page.goto(server.demo.address);
      await connected(page);
      return page;
    },
  };
}

export function connected(page: Page): Promise<ElementHandle> {
  return page.waitForSelector("body[data-connection=live]");
}

export function disconnected(page: Page): Promise<ElementHandle> {
  return page.waitForSelector("body[data-connection=lost]");
}

/** Takes the window offline, or back, by the switch in it. */
export async function switchLine(page: Page): Promise<void> {
  const online = await page.getByRole("switch", { checked: true }).isVisible();
  await page.getByRole("switch").click();
  await (online ? disconnected(page) : connected(page));
}

export function nameOf(page: Page): Promise<string> {
  return page.innerText(".me");
}

export async function say(page: Page, text: string): Promise<void> {
  await page.fill("#chat-text", text);
  await page.press("#chat-text", "Enter");
  await heard(page, text);
}

export function heard(page: Page, text: string): Promise<void> {
  return page.locator(".message .text").getByText(text, { exact: true }).waitFor();
}

export function messages(page: Page): Promise<string[]> {
  return page.locator(".message .text").allInnerTexts();
}

/** Waits until another window has locked the field. */
export function locked(page: Page, field: string): Promise<ElementHandle> {
  return page.waitForSelector(`#field-${field}:disabled`);
}

export function free(page: Page, field: string): Promise<ElementHandle> {
  return page.waitForSelector(`#field-${field}:enabled`);
}

/** Waits until the window itself has the lock. */
export function held(page: Page, field: string): Promise<ElementHandle> {
  return page.waitForSelector(`.held #field-${field}:focus`);
}

/** Waits until the field has this text. */
export async function reads(page: Page, field: string, text: string): Promise<void> {
  const shows = ([id, wanted]: string[]) => (document.getElementById(id ?? "") as HTMLInputElement).value === wanted;
  await page.waitForFunction(shows, [`field-${field}`, text]);
}
