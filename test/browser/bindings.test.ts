// The bindings in Chromium, each in an application of its framework: one connection, no lost events, no second life.
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { respond } from "../../src/adapters/node.ts";
import { channelsOf, type Hub } from "../../src/index.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import {
  type BindingApp,
  type BindingProps,
  bindings,
  bundleBinding,
  type Row,
  rows,
} from "../support/binding-page.ts";
import { launchChromium } from "../support/browser.ts";
import { eventually } from "../support/deadline.ts";
import { openHub } from "../support/hub.ts";
import { type PageServer, startPageServer } from "../support/page-server.ts";

declare global {
  interface Window {
    app: BindingApp;
  }
}

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe.each(bindings)("the binding of $name", ({ name, file, packages }) => {
  let script: string;
  let server: PageServer;
  let hub: Hub;
  let page: Page;
  const problems: string[] = [];
  /** The channels of each request, and the header that the application's function gave. */
  const requests: string[] = [];

  beforeAll(async () => {
    script = await bundleBinding(file, await packages?.());
  });
  beforeEach(async () => {
    problems.length = requests.length = 0;
    server = await startPageServer();
    ({ hub } = openHub({ retry: 1, log: memoryLog({ maxEvents: 100 }) }));
    server.routes.set("/events", (req, res) => {
      const { searchParams } = new URL(req.url ?? "", server.origin);
      requests.push(`${searchParams.getAll("channel")} for ${req.headers["x-room"]}`);
      void channelsOf(req, { allow: () => true }).then((channels) => respond(hub, req, res, channels));
    });
    page = await browser.newPage();
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) problems.push(message.text());
    });
    await page.goto(server.origin);
    await page.setContent('<div id="app"></div>');
    await page.addScriptTag({ content: script });
  });
  afterEach(async () => {
    await page.close();
    await hub.close();
    await server[Symbol.asyncDispose]();
    // The browser itself reports a cut connection.
    expect(problems.filter((text) => !text.includes("net::ERR"))).toEqual([]);
  });

  const mount = async (props: Partial<BindingProps> = {}, connections = 1): Promise<void> => {
    await page.evaluate((props) => window.app.mount(props), props);
    await connected(connections);
  };
  const update = (props: Partial<BindingProps>) => page.evaluate((props) => window.app.update(props), props);
  const connected = (count: number) =>
    eventually(
      `${count} connections`,
      async () => hub.stats().connections,
      (is) => is === count,
    );
  const publish = (data: string, channel = "a") => hub.channel(channel).dispatch("tick", data);
  const shown = (expected: string, count = 1): Promise<Row[]> =>
    eventually(
      `${count} rows show ${expected}`,
      () => rows(page),
      (found) => found.length === count && found.every(({ text }) => text === expected),
    );

  test("components that get one subscription have one connection, and each receives every event", async () => {
    await mount({ count: 20 });
    await page.locator("#status", { hasText: "open" }).waitFor();
    await publish("one");
    await publish("two");
    await shown("one two", 20);
    // React may commit the state of listeners later than that of reducers.
    await eventually(
      "each listener was called twice",
      () => rows(page),
      (found) => found.every(({ calls }) => calls === 2),
    );
    expect(requests).toEqual(["a for a"]);
  });

  test("a hundred components with a subscription each have one connection", async () => {
    await mount({ count: 100, shared: false });
    await publish("one");
    await publish("two");
    await shown("one two", 100);
    expect(hub.stats().connections).toBe(1);
    expect(requests).toEqual(["a for all"]);
  });

  test("components with different channels have one connection", async () => {
    await mount({ count: 9, shared: false, spread: 3 });
    for (const [index, text] of ["one", "two", "three"].entries()) await publish(text, `a${index}`);
    await eventually(
      "each row shows the event of its channel",
      () => rows(page),
      (found) => found.map(({ text }) => text).join(" ") === "one two three ".repeat(3).trim(),
    );
    await connected(1);
  });

  test("a burst loses no event, and renders once for many", async () => {
    await mount();
    const numbers = Array.from({ length: 80 }, (_, index) => String(index));
    await hub.channel("a").dispatchAll(numbers.map((data) => ({ type: "tick", data })));
    const [row] = await shown(numbers.join(" "));
    expect(row?.renders).toBeLessThan(20);
  });

  test("unmounting closes the connection", async () => {
    await mount({ count: 3 });
    await page.evaluate(() => window.app.unmount());
    await connected(0);
  });

  test("another channel is another stream, which begins with nothing", async () => {
    await mount();
    await publish("one");
    await shown("one");
    await update({ channel: "b" });
    await shown("");
    await eventually(
      "b is requested",
      async () => requests.length,
      (count) => count >= 2,
    );
    await connected(1);
    await publish("of the channel before");
    await publish("two", "b");
    await shown("two");
  });

  test("a component that is put away and shown again has received what happened in between, once", async () => {
    // An Activity keeps the state of its component, a module or a KeepAlive too; React 18 has nothing like it.
    if (name === "React 18") return;
    await mount({ count: 2 });
    await publish("one");
    await shown("one", 2);
    await update({ hidden: true });
    await shown("", 0);
    await publish("two");
    await publish("three");
    await update({ hidden: false });
    await shown("one two three", 2);
    await publish("four");
    await shown("one two three four", 2);
  });

  test("functions of the latest rendering are called, and no new ones open another stream", async () => {
    // The setup of a component of Vue or Svelte runs once, so there is no other rendering.
    if (!name.startsWith("React")) return;
    await mount();
    await publish("one");
    await shown("one");
    await update({ note: "later" });
    await publish("two");
    await shown("one two");
    expect(await page.evaluate(() => window.app.log)).toEqual(["later"]);
    server.cut();
    await eventually(
      "it is back",
      async () => requests.length,
      (count) => count === 2,
    );
    expect(requests).toEqual(["a for a", "a for later"]);
  });

  test("a loss is received in order with the events", async () => {
    await mount({ count: 2 });
    await publish("one");
    await shown("one", 2);
    // No server for a while.
    const route = server.routes.get("/events");
    server.routes.set("/events", (_req, res) => res.destroy());
    server.cut();
    await connected(0);
    await publish("gone");
    await hub.channel("other").dispatchAll(Array.from({ length: 300 }, () => ({ type: "noise", data: "" })));
    await publish("two");
    server.routes.set("/events", route as never);
    await shown("one (gap) two", 2);
    expect(await page.evaluate(() => window.app.log)).toEqual(["gap", "gap"]);
  });
});
