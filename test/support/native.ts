/** The native `EventSource` of real browsers, and the events that it dispatches. */

import type { Browser as Chromium } from "playwright-core";
import type { Browser as Firefox } from "puppeteer-core";
import { launchChromium } from "./browser.ts";
import { eventually } from "./deadline.ts";
import { launchFirefox } from "./firefox.ts";

/** As much of a page as Playwright and Puppeteer have alike. */
export interface Tab {
  goto(url: string): Promise<unknown>;
  goBack(): Promise<unknown>;
  evaluate<Argument, Result>(run: (argument: Argument) => Result, argument: Argument): Promise<Awaited<Result>>;
  close(): Promise<void>;
}

export interface NativeBrowser extends AsyncDisposable {
  /** A window in a session of its own. */
  newTab(): Promise<Tab>;
}

/** For `describe.each`. */
export const nativeBrowsers: readonly { name: string; launch: () => Promise<NativeBrowser> }[] = [
  {
    name: "Chromium",
    launch: async () =>
      inSessions(await launchChromium(), (browser) => browser.newContext({ ignoreHTTPSErrors: true })),
  },
  {
    name: "Firefox",
    launch: async () => inSessions(await launchFirefox(), (browser) => browser.createBrowserContext()),
  },
];

function inSessions<Browser extends Chromium | Firefox>(
  browser: Browser,
  session: (browser: Browser) => Promise<{ newPage(): Promise<unknown> }>,
): NativeBrowser {
  return {
    newTab: async () => (await (await session(browser)).newPage()) as Tab,
    [Symbol.asyncDispose]: () => browser.close(),
  };
}

/** A record of an `EventSource` in a page: an event of the stream or, without data, its own `open` and `error`. */
export interface Told {
  readonly type: string;
  readonly data?: string;
  readonly lastEventId?: string;
  /** `readyState` at that moment. */
  readonly state: number;
}

export interface NativeOptions {
  /** Types to listen to in addition to `message`. */
  types?: readonly string[];
  withCredentials?: boolean;
}

const control = ["sse:gap", "sse:reset", "sse:checkpoint", "sse:end"];

/** One `EventSource` in a page. */
export class NativeClient {
  readonly #tab: Tab;
  readonly #index: number;

  private constructor(tab: Tab, index: number) {
    this.#tab = tab;
    this.#index = index;
  }

  static async open(tab: Tab, url: string, { types = [], withCredentials = false }: NativeOptions = {}) {
    const settings = { url, withCredentials, types: ["message", ...control, ...types] };
    return new NativeClient(tab, await tab.evaluate(listen, settings));
  }

  /** Everything it was told, in order. */
  told(): Promise<Told[]> {
    return this.#tab.evaluate((index) => window.clients[index]?.told ?? [], this.#index);
  }

  /** The events that it dispatched. */
  async heard(): Promise<Told[]> {
    return (await this.told()).filter(({ data }) => data !== undefined);
  }

  readyState(): Promise<number | undefined> {
    return this.#tab.evaluate((index) => window.clients[index]?.source.readyState, this.#index);
  }

  /** Waits until what it was told is enough. */
  until(what: string, isEnough: (told: readonly Told[]) => boolean): Promise<Told[]> {
    return eventually(what, () => this.told(), isEnough);
  }

  /** Waits until it dispatches an event of this type, with this data if given, and returns the last such event. */
  async hears(type: string, data?: string): Promise<Told> {
    const isIt = (one: Told): boolean => one.type === type && (data === undefined ? "data" in one : one.data === data);
    const told = await this.until(`it receives ${type} ${data ?? ""}`, (all) => all.some(isIt));
    return told.findLast(isIt) as Told;
  }

  /** Waits until it has opened so many times. */
  opens(times = 1): Promise<Told[]> {
    const isOpen = ({ type, data }: Told): boolean => type === "open" && data === undefined;
    return this.until(`it opens ${times} times`, (told) => told.filter(isOpen).length >= times);
  }

  close(): Promise<void> {
    return this.#tab.evaluate((index) => window.clients[index]?.source.close(), this.#index);
  }
}

declare global {
  interface Window {
    clients: { source: EventSource; told: Told[] }[];
  }
}

/** Runs in the page. */
function listen({ url, types, withCredentials }: Required<NativeOptions> & { url: string }): number {
  const source = new EventSource(url, { withCredentials });
  const told: Told[] = [];
  const note = (event: Event): void => {
    const { type, data, lastEventId } = event as MessageEvent;
    told.push({ type, state: source.readyState, ...(data === undefined ? {} : { data, lastEventId }) });
  };
  for (const type of ["open", "error", ...types]) source.addEventListener(type, note);
  window.clients ??= [];
  return window.clients.push({ source, told }) - 1;
}
