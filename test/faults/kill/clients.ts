import { type ClientRequest, get, type IncomingMessage } from "node:http";
import { EventSource } from "eventsource";
import type { Browser, Page } from "playwright-core";
import { EventSource as OwnEventSource } from "../../../src/client/eventsource.ts";
import { subscribe } from "../../../src/client/index.ts";
import { eventually } from "../../support/deadline.ts";
import { StreamRecorder } from "../../support/recorder.ts";

/** An event as a client received it. */
export interface Heard {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

/** A client that reconnects on its own, whatever happens to the server. */
export interface NewsClient {
  readonly name: string;
  /** All events that it received, as soon as it has received this one. */
  until(data: string): Promise<readonly Heard[]>;
  close(): Promise<void>;
}

const types = ["message", "sse:gap", "sse:reset", "sse:end"];

/** Chromium's own EventSource, in the page that the server gives out. */
export async function chromiumClient(browser: Browser, origin: string): Promise<NewsClient> {
  const page: Page = await browser.newPage();
  await page.goto(origin);
  return {
    name: "Chromium",
    async until(data) {
      await page.waitForFunction((last) => client.heard.some((event) => event.data === last), data);
      const { heard, states } = await page.evaluate(() => client);
      if (states.includes(2)) throw new Error("Chromium has given up");
      return heard;
    },
    close: () => page.close(),
  };
}

/** The state of the page, as its script names it. */
declare const client: { heard: Heard[]; states: number[] };

/** The npm package of that name. */
export const packageClient = (origin: string): NewsClient => classClient("eventsource", origin, EventSource);

/** The class of this package. */
export const ownClassClient = (origin: string): NewsClient =>
  classClient("sourcecast/eventsource", origin, OwnEventSource);

function classClient(name: string, origin: string, Class: typeof EventSource | typeof OwnEventSource): NewsClient {
  const heard: Heard[] = [];
  const source = new Class(`${origin}/events`);
  const receive = (event: Event): void => {
    const { type, data, lastEventId } = event as MessageEvent<string>;
    heard.push({ type, data, lastEventId });
  };
  for (const type of types) source.addEventListener(type, receive);
  return { name, until: (data) => untilHeard(name, heard, data), close: async () => source.close() };
}

/** The client of this package. */
export function ownClient(origin: string): NewsClient {
  const heard: Heard[] = [];
  const subscription = subscribe(`${origin}/events`, { retry: { initial: 20, max: 100 } });
  subscription.on("*", ({ type, data, lastEventId }) => heard.push({ type, data: String(data), lastEventId }));
  subscription.onLoss((loss) => heard.push({ type: `loss: ${JSON.stringify(loss)}`, data: "", lastEventId: "" }));
  return {
    name: "sourcecast/client",
    until: (data) => untilHeard("sourcecast/client", heard, data),
    close: async () => subscription.close(),
  };
}

/** The standard to the letter, on a request of Node. */
export function rawClient(origin: string): NewsClient {
  const heard: Heard[] = [];
  let lastEventId = "";
  let retry = 20;
  let request: ClientRequest;
  let timer: ReturnType<typeof setTimeout>;
  let closed = false;

  const connect = (): void => {
    const parser = new StreamRecorder(lastEventId);
    const read = (response: IncomingMessage): void => {
      response.on("error", () => {});
      response.on("data", (bytes: Buffer) => {
        heard.push(...parser.push(bytes));
        lastEventId = parser.lastEventId;
        retry = parser.retry ?? retry;
      });
    };
    const headers = lastEventId === "" ? {} : { "last-event-id": lastEventId };
    request = get(`${origin}/events`, { headers, agent: false }, read);
    request.on("error", () => {});
    request.on("close", () => {
      if (!closed) timer = setTimeout(connect, retry);
    });
  };
  connect();
  return {
    name: "raw",
    until: (data) => untilHeard("raw", heard, data),
    async close() {
      closed = true;
      clearTimeout(timer);
      request.destroy();
    },
  };
}

function untilHeard(name: string, heard: readonly Heard[], data: string): Promise<readonly Heard[]> {
  const isHeard = (): boolean => heard.some((event) => event.data === data);
  return eventually(`${name} receives "${data}"`, async () => heard, isHeard);
}
