/** The recipes whose pages have no client code, in Chromium with the versions that they name, over a lost connection and a lost log. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launchChromium } from "../support/browser.ts";
import { Http1Client } from "../support/client.ts";
import { installPackages } from "../support/example.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { FaultProxy } from "../support/stores/fault-proxy.ts";
import { openPage, Tutorial } from "../support/tutorial.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

describe.concurrent.each(["htmx-4", "turbo"])("docs/recipes/%s.md", (name) => {
  test("shows each line once, over a lost connection, and reloads after the log is lost", async () => {
    using tutorial = new Tutorial(`docs/recipes/${name}.md`);
    tutorial.save("server.ts");
    let server = await tutorial.start("server.ts");
    await using network = await FaultProxy.start(server.port);
    const page = await openPage(browser, `http://127.0.0.1:${network.port}`);
    try {
      await page.waitForFunction("/\\d:\\d\\d/.test(document.querySelector('#time').innerText)");
      await page.fill("input", "one <b>");
      await page.click("button");
      await lines(page, ["one <b>"]);
      await page.evaluate("window.isFirstLoad = true");

      network.refuse();
      for (const text of ["two", "three"]) await say(server, text);
      network.heal();
      await lines(page, ["one <b>", "two", "three"]);
      expect(await page.evaluate("window.isFirstLoad")).toBe(true);

      network.refuse();
      await server.stop("SIGKILL");
      server = await tutorial.start("server.ts", server.port);
      network.heal();
      await page.waitForFunction("window.isFirstLoad === undefined && document.querySelector('#said')");
      await say(server, "four");
      await lines(page, ["four"]);
    } finally {
      await page.close();
      await server.stop("SIGKILL");
    }
    expect(server.newOutput()).toBe("");
  });
});

describe("docs/recipes/datastar.md", () => {
  test("its events are those that Datastar's SDK writes, and a loss is one of them", async () => {
    const sdk = await sdkOfDatastar();
    using tutorial = new Tutorial("docs/recipes/datastar.md");
    tutorial.save("server.ts");
    await using server = await tutorial.start("server.ts");
    const client = await new Http1Client(server.port, { path: "/events?datastar=%7B%7D" }).opened();
    const body = JSON.stringify({ text: "one <b>\ntwo" });
    expect((await fetch(`${server.origin}/said`, { method: "POST", body })).status).toBe(204);
    const next = async (type: string) => {
      for (;;) {
        const event = await client.next();
        if (event.type === type) return { type, data: event.data };
      }
    };
    expect(await next("datastar-patch-elements")).toEqual(
      sdk.patchElements("<li>one &lt;b&gt;\ntwo</li>", { selector: "#said", mode: "append" }),
    );
    const { data } = await next("datastar-patch-signals");
    expect(data).toMatch(/^signals \{"time":".+"\}$/);
    expect({ type: "datastar-patch-signals", data }).toEqual(sdk.patchSignals(data.slice("signals ".length)));
    client.leave();

    const lost = await new Http1Client(server.port, { path: "/events", headers: { "last-event-id": "lost" } }).opened();
    const { type, data: script } = await lost.next();
    expect({ type, data: script }).toEqual(sdk.executeScript("location.reload()"));
    expect(await lost.rest()).toBe("end");
  });
});

interface Sdk {
  patchElements(elements: string, options?: object): object;
  patchSignals(signals: string): object;
  executeScript(script: string): object;
}

/** The SDK, whose methods return the parsed event. */
async function sdkOfDatastar(): Promise<Sdk> {
  const folder = await installPackages({ "@starfederation/datastar-sdk": "1.0.0" });
  const file = join(folder, "@starfederation/datastar-sdk/esm/abstractServerSentEventGenerator.js");
  const { ServerSentEventGenerator } = await import(pathToFileURL(file).href);
  const Generator: new () => Sdk = class extends ServerSentEventGenerator {
    send(...args: unknown[]): object {
      const text: string = super.send(...args).join("");
      const data = Array.from(text.matchAll(/^data: (.*)$/gm), ([, line]) => line).join("\n");
      return { type: /^event: (.*)$/m.exec(text)?.[1], data };
    }
  } as never;
  return new Generator();
}

async function say(server: ServerProcess, text: string): Promise<void> {
  const response = await fetch(`${server.origin}/said`, { method: "POST", body: new URLSearchParams({ text }) });
  expect(response.ok).toBe(true);
}

async function lines(page: Page, expected: readonly string[]): Promise<void> {
  const shown = "[...document.querySelectorAll('#said li')].map(({ innerText }) => innerText)";
  await page
    .waitForFunction(`JSON.stringify(${shown}) === ${JSON.stringify(JSON.stringify(expected))}`, null, {
      timeout: 15_000,
    })
    .catch(async () => {
      expect(await page.evaluate(shown)).toEqual(expected);
    });
}
