import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serveSuite } from "../contracts/serving-suite.ts";
import { launchChromium } from "../support/browser.ts";
import { Http1Client } from "../support/client.ts";
import { installExample } from "../support/example.ts";
import { startFixture } from "../support/fixture.ts";
import type { ServerProcess } from "../support/server-process.ts";

serveSuite("htmx-router", () => startFixture("htmx-router"), {
  except: { "memory is bounded for a client that does not read": "htmx-router ignores backpressure" },
});

const vite = ["node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"];

describe.each(["development", "production"])("the example of htmx-router in %s", (mode) => {
  let server: ServerProcess;

  beforeAll(async () => {
    const example = await installExample("htmx-router");
    const env = mode === "production" ? { NODE_ENV: "production" } : {};
    if (mode === "production") {
      await example.run(vite, env);
      await example.run([...vite, "--ssr", "app/entry.server.ts", "--outDir", "dist/server"], env);
    }
    server = await example.start(["server.js"], { env });
  }, 300_000);

  afterAll(() => server?.stop());

  test("markup with line breaks arrives whole", async () => {
    const client = new Http1Client(server.port, { path: "/events/hello" });
    const [first, second] = [await client.next(), await client.next()];
    expect(first.data).toBe("<b>hello everyone\n<pre>line 1\nline 1</pre></b>");
    expect(second.data).toBe("<b>hello everyone\n<pre>line 1\nline 2</pre></b>");
    expect(client.headers["content-type"]).toBe("text/event-stream");
    client.leave();
  });

  test("a page of htmx with its SSE extension shows what is sent, and a lock moves on when its owner leaves", async () => {
    await using browser = await launchChromium();
    const first = await browser.newPage();
    await first.goto(server.origin);
    await first.locator("#hello pre").getByText("line 3").waitFor();
    expect(await first.locator("#hello pre").textContent()).toMatch(/^line 1\nline \d+$/);
    await first
      .locator("#group")
      .getByText(/hello all \d/)
      .waitFor();
    await first.locator("#lock").getByText("The lock is yours").waitFor();

    const second = await browser.newPage();
    await second.goto(server.origin);
    await second.locator("#lock").getByText("Locked by another user").waitFor();
    await second.locator("#group").getByText("hello all 2").waitFor();
    await first.close();
    await second.locator("#lock .mine").waitFor();
    await second.locator("#group").getByText("hello all 1").waitFor();
    expect(server.newOutput()).toBe("");
  });

  test("a signal ends the streams, and the application ends by its own means", async () => {
    const client = new Http1Client(server.port, { path: "/events/group" });
    await client.next();
    expect(await server.stop()).toBe(0);
    expect(await client.rest()).toBe("end");
    expect(server.newOutput()).toBe("");
  });
});
