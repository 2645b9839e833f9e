import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serveSuite } from "../contracts/serving-suite.ts";
import { type ClientRequest, Http1Client } from "../support/client.ts";
import { eventually } from "../support/deadline.ts";
import { type Example, installExample } from "../support/example.ts";
import { startFixture } from "../support/fixture.ts";
import { bun, deno } from "../support/runtimes.ts";
import type { ServerProcess } from "../support/server-process.ts";

serveSuite("Oak on Node", () => startFixture("oak"));
serveSuite("Oak on Deno", async () => startFixture("oak", { program: await deno(), args: ["run", "--allow-all"] }));
// There Oak has web requests, as on Deno with its own package.
serveSuite("Oak on Bun", () => startFixture("oak", { program: bun }));

test("the end of an application ends its streams, and a stream that ended leaves no listener", async () => {
  await using server = await startFixture("oak");
  const get = async (path: string): Promise<string> =>
    (await fetch(`${server.origin}${path}`, { headers: { connection: "close" } })).text();
  const open = () => new Http1Client(server.port, { path: "/count" }).opened();
  // Node warns of the eleventh listener.
  const staying = await Promise.all(Array.from({ length: 11 }, open));
  const leaves = await open();
  expect(await get("/listeners"), "one for all").toBe("1");
  leaves.leave();
  const streams = async (): Promise<number> => JSON.parse(await get("/state")).open;
  await eventually("one stream has ended", streams, (count) => count === staying.length);
  expect(await get("/listeners")).toBe("1");
  server.signal("SIGUSR2");
  for (const client of staying) expect(await client.rest()).toBe("end");
  let output = "";
  const printed = async (): Promise<string> => (output += server.newOutput());
  await eventually("the application has ended", printed, (text) => text.includes("\n"));
  // The application does not keep the stream that ended.
  expect(output).toBe(`closed at the end: ${staying.length}\n`);
});

describe.each([
  ["Node", async () => ({})],
  ["Deno", async () => ({ program: await deno(), args: ["run", "--allow-all"] })],
])("the example of Oak on %s", (runtime, program) => {
  let example: Example;
  let server: ServerProcess;
  const clients: Http1Client[] = [];

  beforeAll(async () => {
    example = await installExample("oak");
    const { args = [], ...rest }: { program?: string; args?: string[] } = await program();
    server = await example.start([...args, "server.ts"], rest);
  }, 300_000);

  afterAll(async () => {
    for (const client of clients) client.leave();
    await server?.stop();
  });

  function open(path: string, request: ClientRequest = {}): Http1Client {
    const client = new Http1Client(server.port, { path, ...request });
    clients.push(client);
    return client;
  }

  test.runIf(runtime === "Node")("its types fit those of Oak", async () => {
    expect(await example.typeErrors()).toBe("");
  });

  test("events dispatched before the handler returns arrive in order", async () => {
    const client = open("/sse");
    expect(await client.next()).toEqual({ type: "message", data: '{"hello":"world"}', lastEventId: "" });
    expect(await client.next()).toEqual({ type: "ping", data: '{"hello":"world"}', lastEventId: "" });
    expect(client.parser.comments).toContain("for debugging");
    expect(client.headers).toMatchObject({ "x-custom-header": "custom value", "content-type": "text/event-stream" });
  });

  test("an event that a local listener cancelled is not sent", async () => {
    const client = open("/sse");
    await client.next();
    await client.next();
    const response = await fetch(`${server.origin}/messages`, {
      method: "POST",
      body: JSON.stringify({ to: "all" }),
      headers: { "content-type": "application/json", connection: "close" },
    });
    expect(((await response.json()) as { served: number }).served).toBeGreaterThan(0);
    expect((await client.next()).data).toBe('{"to":"all"}');
  });

  test("await ctx.sendEvents(), and await target.close()", async () => {
    const client = open("/once");
    expect((await client.next()).data).toBe('{"hello":"world"}');
    expect(await client.rest()).toBe("end");
    expect(server.newOutput()).toBe("");
  });

  // The last one, since Oak prints what it answers so.
  test("who does not accept event streams is told so", async () => {
    const client = open("/sse", { headers: { accept: "application/json" } });
    await client.until(() => client.status !== 0);
    expect(client.status).toBe(406);
  });
});
