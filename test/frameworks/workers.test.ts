import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serveSuite } from "../contracts/serving-suite.ts";
import { launchChromium } from "../support/browser.ts";
import { Http1Client } from "../support/client.ts";
import { within } from "../support/deadline.ts";
import { type Example, installExample } from "../support/example.ts";
import { root } from "../support/package.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { bundleWorker, startWorker, type WorkerOptions } from "../support/workers.ts";

const fixtures = join(root, "test/frameworks/fixtures");

const noSignal = { "a signal ends the streams, then the process": "a worker is not told that it will be stopped" };

serveSuite("Hono on Workers, Durable Object", () => start("object.mjs", { objects: "Application" }), {
  except: noSignal,
});

serveSuite("Workers", () => start("plain.mjs"), {
  except: {
    ...noSignal,
    "a client that disconnects before the source is created is noticed":
      "the runtime ends a request that waits for another request",
  },
});

/** On workerd alone: what wrangler puts before it is of no interest here. */
async function start(name: string, options: WorkerOptions = {}): Promise<ServerProcess> {
  const files = ["scenarios.mjs", `workers/${name}`].map((file) => join(fixtures, file));
  const { folder } = await installExample("workers", { files });
  await bundleWorker(join(folder, name), folder);
  // A client that left is noticed when something is sent to it.
  return startWorker(folder, { env: { KEEP_ALIVE: "200ms" }, ...options });
}

describe("the example for Workers, in wrangler", () => {
  let example: Example;
  let server: ServerProcess;

  const develop = (): Promise<ServerProcess> =>
    example.start(["node_modules/wrangler/bin/wrangler.js", "dev", "--ip=127.0.0.1", "--port=$PORT"], {
      // Neither asks a server of Cloudflare's for anything.
      env: { WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false", WRANGLER_LOG_PATH: example.folder },
    });

  beforeAll(async () => {
    example = await installExample("workers");
    server = await develop();
  }, 300_000);

  afterAll(() => server?.stop());

  test("its types fit those of Workers", async () => {
    expect(await example.typeErrors()).toBe("");
  });

  test("a message from one page reaches both, and one that opens later", async () => {
    await using browser = await launchChromium();
    const open = async () => {
      const page = await browser.newPage();
      await page.goto(server.origin);
      return page;
    };
    const [first, second] = [await open(), await open()];
    await first.locator("input").fill("Hello");
    await first.locator("button").click();
    for (const page of [first, second, await open()]) await page.locator("li", { hasText: "Hello" }).waitFor();
  });

  test("a client resumes in its room after a restart, and receives nothing of others", async () => {
    const before = new Http1Client(server.port, { path: "/rooms/kitchen" });
    await before.opened();
    await say("kitchen", "before");
    const { lastEventId } = await said(before);
    before.leave();
    await say("kitchen", "while away");
    await say("cellar", "elsewhere");
    await server.stop();
    server = await develop();
    const after = new Http1Client(server.port, { path: "/rooms/kitchen", headers: { "last-event-id": lastEventId } });
    expect((await said(after)).data).toBe('{"text":"while away"}');
    await say("kitchen", "again");
    expect((await said(after)).data).toBe('{"text":"again"}');
    after.leave();
  });

  async function say(room: string, text: string): Promise<void> {
    const response = await fetch(`${server.origin}/rooms/${room}`, { method: "POST", body: text });
    expect(response.status).toBe(201);
  }

  async function said(client: Http1Client): Promise<{ data: string; lastEventId: string }> {
    for (;;) {
      const event = await within(10_000, "a message arrives", client.next());
      if (event.type !== "sse:checkpoint") return event;
    }
  }
});
