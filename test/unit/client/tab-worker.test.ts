// A worker that has the connection for all tabs: it leads, asks live tabs for headers, and is replaced by a tab.
import { afterEach, expect, test } from "vitest";
import type { TextEvent } from "../../../src/client/events.ts";
import { resolveSubscribeOptions, type SubscribeOptions } from "../../../src/client/options.ts";
import { Subscription } from "../../../src/client/subscribe.ts";
import { serveTab } from "../../../src/client/tab-worker.ts";
import type { WorkerOptions } from "../../../src/client/tabs.ts";
import { FakeBrowser, type FakeTab } from "../../support/fake-tabs.ts";
import { LabeledHub } from "../../support/labeled-hub.ts";
import { VirtualEnvironment } from "../../support/virtual-environment.ts";
import { tick } from "../../support/web.ts";

const environment = new VirtualEnvironment();
let calls = 0;
const browser = new FakeBrowser(environment, () => (++calls * 0.618034) % 1);
const streams: Subscription[] = [];
const workers: FakeTab[] = [];
let hub = new LabeledHub(environment);

afterEach(async () => {
  for (const tab of browser.tabs) tab.thaw();
  for (const stream of streams.splice(0)) stream.close();
  await pass(60_000);
  // The browser ends a worker with its last page.
  for (const worker of workers.splice(0)) if (!worker.isGone) worker.crash();
  expect(hub.open.length, "connections are left").toBe(0);
  expect(environment.timers, "timers are left").toBe(0);
  expect([...browser.locks.keys()], "locks are left").toEqual([]);
  hub = new LabeledHub(environment);
});

/** A worker, as a SharedWorker is: one for all tabs. */
function startWorker(rename = (name: string) => name): {
  tab: FakeTab;
  worker: NonNullable<SubscribeOptions["worker"]>;
} {
  const tab = browser.open();
  workers.push(tab);
  const groups = new Map();
  const postMessage = (message: unknown): void => {
    const options = structuredClone(message) as WorkerOptions;
    environment.after(20, () => {
      if (tab.isGone) return;
      serveTab(groups, { ...options, name: rename(options.name), fetch: tab.fetch(hub.fetch) }, tab);
    });
  };
  return { tab, worker: () => ({ port: { postMessage } }) };
}

function follow(
  tab: FakeTab,
  channel: string,
  options: SubscribeOptions,
): { stream: Subscription; received: string[] } {
  const all = { share: "browser", identity: "ann", channels: [channel], ...options } as const;
  const resolved = resolveSubscribeOptions("http://localhost/events", all);
  // The network of a tab, where it has to lead.
  const stream = new Subscription({ ...resolved, fetch: tab.fetch(hub.fetch) }, tab);
  streams.push(stream);
  const received: string[] = [];
  stream.on("*", (event: TextEvent) => received.push(event.data));
  return { stream, received };
}

async function pass(milliseconds: number): Promise<void> {
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 8; turn++) await tick();
  };
  const end = environment.time + milliseconds;
  await settle();
  while (environment.next !== undefined && environment.next <= end) {
    environment.advance(environment.next - environment.time);
    await settle();
  }
  environment.advance(end - environment.time);
  await settle();
}

test("the worker has the connection, from the first one on, and keeps it when tabs close", async () => {
  const { worker } = startWorker();
  const followers = ["a", "b", "a"].map((channel) => follow(browser.open(), channel, { worker }));
  await pass(3_000);
  expect(hub.open).toHaveLength(1);
  const [connection] = hub.open;
  followers[0]?.stream.close();
  await pass(3_000);
  hub.publish("a", "1");
  hub.publish("b", "2");
  await pass(500);
  expect(followers.map(({ received }) => received.join())).toEqual(["", "2", "1"]);
  expect(hub.open).toEqual([connection]);
});

test("headers() is called in a live tab, for each attempt, with a deadline", async () => {
  const { worker } = startWorker();
  const [first, second] = [browser.open(), browser.open()];
  const asked: string[] = [];
  const headersOf = (name: string) => () => {
    asked.push(name);
    return { authorization: name };
  };
  const sent: (string | null)[] = [];
  const { fetch } = hub;
  Object.assign(hub, {
    fetch: (url: string, init: RequestInit) => {
      sent.push(new Headers(init.headers).get("authorization"));
      return fetch(url, init);
    },
  });
  const one = follow(first, "a", { worker, headers: headersOf("one") });
  const two = follow(second, "a", { worker, headers: headersOf("two") });
  await pass(3_000);
  expect(sent.every((value) => value === "one" || value === "two")).toBe(true);
  const count = sent.length;
  const latest = asked.at(-1);
  // The tab that was asked last does not answer any more.
  (latest === "one" ? first : second).freeze();
  hub.open[0]?.cut("end");
  await pass(15_000);
  expect(sent.slice(count)).toEqual([latest === "one" ? "two" : "one"]);
  hub.publish("a", "x");
  await pass(500);
  expect((latest === "one" ? two : one).received).toEqual(["x"]);
});

test.each(["crashes", "cannot be started", "is frozen"])("a tab leads if the worker %s", async (how) => {
  const { tab, worker } = startWorker();
  if (how === "cannot be started") tab.crash();
  const followers = [browser.open(), browser.open()].map((one) => follow(one, "a", { worker }));
  await pass(3_000);
  hub.publish("a", "1");
  await pass(500);
  if (how === "crashes") tab.crash();
  if (how === "is frozen") tab.freeze();
  hub.publish("a", "2");
  await pass(40_000);
  hub.publish("a", "3");
  await pass(1_000);
  expect(followers.map(({ received }) => received.join())).toEqual(["1,2,3", "1,2,3"]);
});

test("a worker of another build leaves the connection to the tabs", async () => {
  // For a worker of an older build, the tabs have a later version.
  const { tab, worker } = startWorker((name) => name.replace(/^sourcecast \d+ /, "sourcecast 999 "));
  const followers = [browser.open(), browser.open()].map((one) => follow(one, "a", { worker }));
  await pass(3_000);
  hub.publish("a", "1");
  await pass(500);
  expect(followers.map(({ received }) => received.join())).toEqual(["1", "1"]);
  expect(hub.open).toHaveLength(1);
  expect(
    [...browser.locks.keys()].filter((name) => name.includes(" 999 ")),
    "locks of the worker",
  ).toEqual([]);
  expect(tab.isGone).toBe(false);
});

test("a function that throws, as where there is no SharedWorker, leaves the connection to a tab", async () => {
  const worker = (): never => {
    throw new ReferenceError("SharedWorker is not defined");
  };
  const follower = follow(browser.open(), "a", { worker });
  await pass(500);
  hub.publish("a", "1");
  await pass(500);
  expect(follower.received).toEqual(["1"]);
});

test("a worker needs share: browser, and takes no functions that cannot be called in a tab", () => {
  const worker = startWorker().worker;
  const resolve = (options: SubscribeOptions) => () => resolveSubscribeOptions("http://localhost/", options);
  const shared = { share: "browser", identity: "ann", worker } as const;
  expect(resolve({ worker })).toThrow("The option worker ");
  expect(resolve({ ...shared, fetch })).toThrow("The option worker ");
  expect(resolve({ ...shared, shouldRetry: () => true })).toThrow("The option worker ");
  expect(resolve(shared)).not.toThrow();
});
