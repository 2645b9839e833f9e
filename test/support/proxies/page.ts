import type { Browser, BrowserContext, Page } from "playwright-core";
import { eventually } from "../deadline.ts";

interface Client {
  heard: string[];
  opened: number;
  source: EventSource;
}

/** The state of the news server's page. */
declare const clients: Client[];
declare function follow(count: number): void;

/** Streams of one page, behind a proxy with TLS. */
export class StreamsOfPage {
  readonly #context: BrowserContext;
  readonly #page: Page;

  static async open(browser: Browser, port: number): Promise<StreamsOfPage> {
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const page = await context.newPage();
    await page.goto(`https://127.0.0.1:${port}/`);
    return new StreamsOfPage(context, page);
  }

  private constructor(context: BrowserContext, page: Page) {
    this.#context = context;
    this.#page = page;
  }

  /** Opens streams and waits until all are. */
  async follow(count: number): Promise<void> {
    await this.#page.evaluate((number) => follow(number), count);
    await this.openedAll(1);
  }

  /** The events that each of them received. */
  heard(): Promise<string[][]> {
    return this.#page.evaluate(() => clients.map(({ heard }) => heard));
  }

  /** How often the one was opened that was opened least. */
  opened(): Promise<number> {
    return this.#page.evaluate(() => Math.min(...clients.map(({ opened }) => opened)));
  }

  /** Waits until each was opened so often. */
  async openedAll(times: number): Promise<void> {
    const opened = (): Promise<number> => this.opened();
    await eventually(`each stream was opened ${times} times`, opened, (least) => least >= times, 20_000);
  }

  /** Waits until each page has received the last of these, and returns every list of events that differs from them. */
  async othersThan(all: readonly string[]): Promise<string[][]> {
    const last = all.at(-1) ?? "";
    const missing = async (): Promise<number> => (await this.heard()).filter((heard) => !heard.includes(last)).length;
    await eventually(`all receive ${last}`, missing, (count) => count === 0, 20_000);
    return (await this.heard()).filter((heard) => heard.join() !== all.join());
  }

  /** The protocol by which the page came. */
  protocol(): Promise<string> {
    return this.#page.evaluate(() => {
      const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
      return navigation?.nextHopProtocol ?? "";
    });
  }

  close(): Promise<void> {
    return this.#context.close();
  }
}
