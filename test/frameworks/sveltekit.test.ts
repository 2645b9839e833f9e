import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { boardSuite } from "../contracts/board.ts";
import { serveSuite } from "../contracts/serving-suite.ts";
import { launchChromium } from "../support/browser.ts";
import { Http1Client } from "../support/client.ts";
import { eventually } from "../support/deadline.ts";
import { type Example, installExample } from "../support/example.ts";
import type { ServerProcess } from "../support/server-process.ts";

const fixtures = join(import.meta.dirname, "fixtures");
const vite = "node_modules/vite/bin/vite.js";

/** A production build on adapter-node. */
async function build(files: string[] = []): Promise<Example> {
  const example = await installExample("sveltekit", { files });
  await example.run([vite, "build", "--logLevel", "warn"]);
  return example;
}

// As behind a proxy that says which protocol its client came with: the check of forms asks for it.
const forwarded = { "x-forwarded-proto": "http" };

function serve(example: Example): Promise<ServerProcess> {
  return example.start(["build"], { env: { PROTOCOL_HEADER: "x-forwarded-proto" } });
}

let built: Promise<Example> | undefined;
serveSuite(
  "SvelteKit on adapter-node",
  async () => {
    built ??= build([join(fixtures, "scenarios.mjs"), join(fixtures, "sveltekit/src")]);
    return serve(await built);
  },
  { exit: [0] },
);

boardSuite("SvelteKit", () => build(), { path: "/board", isRendered: true });

async function broadcast(server: ServerProcess, text: string): Promise<{ served: number; version?: number }> {
  const response = await fetch(`${server.origin}/broadcast`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ text }),
  });
  return (await response.json()) as { served: number; version?: number };
}

describe("the example of SvelteKit in production", () => {
  let server: ServerProcess;

  beforeAll(async () => {
    server = await serve(await build());
  }, 300_000);

  afterAll(() => server?.stop());

  test("a client that has left does not stop the broadcast for the others", async () => {
    const clients = Array.from({ length: 3 }, () => new Http1Client(server.port, { path: "/events" }));
    for (const client of clients) await client.opened();
    clients[0]?.leave();
    const { served } = await broadcast(server, "one");
    expect(served).toBeGreaterThanOrEqual(2);
    await eventually(
      "the one who left is out",
      () => broadcast(server, "again"),
      ({ served }) => served === 2,
    );
    for (const client of clients.slice(1)) expect((await client.next()).data).toBe('{"text":"one"}');
    for (const client of clients.slice(1)) client.leave();
  });

  test("a form of one page is read on another", async () => {
    await using browser = await launchChromium();
    const context = await browser.newContext({ extraHTTPHeaders: forwarded });
    const [writer, reader] = [await context.newPage(), await context.newPage()];
    for (const page of [writer, reader]) {
      const connected = page.waitForResponse((response) => response.url().endsWith("/events"));
      await page.goto(server.origin);
      await connected;
    }
    await writer.getByLabel("Message").fill("Grüße an alle");
    await writer.getByRole("button", { name: "Send" }).click();
    await reader.getByRole("listitem").getByText("Grüße an alle").waitFor();
    await writer.getByText("Sent to 2").waitFor();
  });

  test("a signal ends the streams, and the server by its own means", async () => {
    const client = await new Http1Client(server.port, { path: "/events" }).opened();
    expect(await server.stop()).toBe(0);
    expect(await client.rest()).toBe("end");
    expect(server.newOutput()).toBe("");
  });
});

describe("the example of SvelteKit in development", () => {
  let example: Example;
  let server: ServerProcess;

  beforeAll(async () => {
    example = await installExample("sveltekit");
    server = await example.start([vite, "dev", "--host", "127.0.0.1", "--port", "$PORT", "--strictPort"]);
  }, 300_000);

  afterAll(() => server?.stop());

  test("a hot reload neither loses a connected client nor serves one twice", async () => {
    const before = await new Http1Client(server.port, { path: "/events" }).opened();
    expect(await broadcast(server, "before")).toEqual({ served: 1 });
    expect((await before.next()).data).toBe('{"text":"before"}');

    edit("src/lib/clients.ts", (code) => `${code}\nexport const version = 2;\n`);
    edit("src/routes/events/+server.ts", (code) => `${code}\n`);
    edit("src/routes/broadcast/+server.ts", (code) =>
      code.replace("{ broadcast }", "{ broadcast, version }").replace("json({", "json({ version,"),
    );
    await eventually(
      "the new code is served",
      () => broadcast(server, "reload"),
      ({ version }) => version === 2,
    );

    const after = await new Http1Client(server.port, { path: "/events" }).opened();
    expect(await broadcast(server, "after")).toEqual({ version: 2, served: 2 });
    expect((await after.next()).data).toBe('{"text":"after"}');
    await before.until(() => before.parser.events.at(-1)?.data === '{"text":"after"}');
    expect(before.parser.events.filter(({ data }) => data === '{"text":"after"}')).toHaveLength(1);
    before.leave();
    after.leave();
    await eventually(
      "both have left",
      () => broadcast(server, "nobody"),
      ({ served }) => served === 0,
    );
  });

  test("a page that is reloaded hot keeps one connection", async () => {
    await using browser = await launchChromium();
    const page = await browser.newPage();
    await page.goto(server.origin);
    await eventually(
      "the page is connected",
      () => broadcast(server, "early"),
      ({ served }) => served === 1,
    );
    edit("src/routes/+page.svelte", (code) => code.replace(">Send<", ">Send it<"));
    await page.getByRole("button", { name: "Send it" }).waitFor();
    await eventually(
      "the page is connected once",
      () => broadcast(server, "reloaded"),
      ({ served }) => served === 1,
    );
    await page.getByRole("listitem").getByText("reloaded").first().waitFor();
    expect(await broadcast(server, "late")).toMatchObject({ served: 1 });
    await page.getByRole("listitem").getByText("late").waitFor();
    expect(await page.getByText("late").count()).toBe(1);
  });

  function edit(file: string, change: (code: string) => string): void {
    const path = join(example.folder, file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  }
});
