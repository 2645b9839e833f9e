/**
 * The statements that Oak makes about its event target, in its own tests and docs, one test for each. Where this
 * package deliberately differs, the test says so.
 */
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Http1Client } from "../support/client.ts";
import { eventually } from "../support/deadline.ts";
import { installExample } from "../support/example.ts";
import { root } from "../support/package.ts";
import { deno } from "../support/runtimes.ts";
import type { ServerProcess } from "../support/server-process.ts";

const program = join(root, "test/frameworks/fixtures/oak/target.mjs");

describe.each([
  ["Node", async () => ({})],
  ["Deno", async () => ({ program: await deno(), args: ["run", "--allow-all"] })],
])("Oak's event target on %s", (_, runtime) => {
  let server: ServerProcess;
  const clients: Http1Client[] = [];

  beforeAll(async () => {
    const example = await installExample("oak", { copy: "target", files: [program] });
    const { args = [], ...rest }: { program?: string; args?: string[] } = await runtime();
    server = await example.start([...args, "target.mjs"], rest);
  }, 300_000);
  afterEach(async () => {
    for (const client of clients.splice(0)) client.leave();
    expect(server.newOutput()).toBe("");
  });
  afterAll(() => server?.stop());

  function open(path: string): Http1Client {
    const client = new Http1Client(server.port, { path });
    clients.push(client);
    return client;
  }

  async function seen(): Promise<unknown[]> {
    const response = await fetch(`${server.origin}/seen`, { headers: { connection: "close" } });
    return response.json() as Promise<unknown[]>;
  }

  /** All of a stream that ends on its own, after the opening with which every stream of this package begins. */
  async function wireOf(path: string): Promise<string> {
    const client = open(path);
    expect(await client.rest()).toBe("end");
    const [, rest] = /^: keep-alive \d+\nretry: \d+\n(.*)$/s.exec(client.body.toString()) ?? [];
    return String(rest);
  }

  test("a target is open when it is made, and its response is an event stream that ends when it is closed", async () => {
    const client = open("/nothing");
    expect(await client.rest()).toBe("end");
    expect(client.status).toBe(200);
    expect(client.headers["content-type"]).toBe("text/event-stream");
    expect(await seen()).toEqual([1]);
  });

  test("closing it is dispatched once, and later events go nowhere", async () => {
    await open("/closed").rest();
    expect(await seen()).toEqual(["close", 2, false]);
  });

  test("own headers are sent, over those of the response and, unlike there, over the defaults", async () => {
    const client = open("/headers");
    await client.rest();
    expect(client.headers).toMatchObject({
      "x-oak": "test",
      "x-app": "app",
      "x-both": "own",
      "cache-control": "special",
      "content-type": "text/event-stream",
    });
  });

  test("an event is written with its type, its id and its data", async () => {
    expect(await wireOf("/event")).toBe('event: ping\nid: 1234\ndata: {"hello":"world"}\n\n');
  });

  test("a message is data alone", async () => {
    expect(await wireOf("/message")).toBe("data: foobar\n\n");
  });

  test("a comment is a line that clients ignore", async () => {
    expect(await wireOf("/comment")).toBe(": foobar\n");
  });

  test("events dispatched together arrive in order", async () => {
    expect(await wireOf("/comments")).toBe(": 1\n: 2\n: 3\n: 4\n");
  });

  test("an event is dispatched on the server first, and one that is canceled there is not sent", async () => {
    expect(await wireOf("/local")).toBe("event: ping\ndata: yes\n\n");
    expect(await seen()).toEqual(["saw yes", "saw no", "true,false"]);
  });

  test("any other event is for the server alone", async () => {
    expect(await wireOf("/other")).toBe("");
    expect(await seen()).toEqual(["saw mine"]);
  });

  test("with a keep-alive a comment comes after each idle interval", async () => {
    const client = open("/keep-alive");
    await client.until(() => client.parser.comments.length >= 4);
    expect(client.parser.events).toEqual([]);
  });

  test("asked for again, a context gives the same target, and leaves the response to it", async () => {
    await open("/twice").rest();
    expect(await seen()).toEqual([true, false]);
  });

  test("a client that disconnects closes the target, and is not an error", async () => {
    (await open("/stays").opened()).leave();
    const all: unknown[] = [];
    await eventually(
      "its close is dispatched",
      async () => {
        all.push(...(await seen()));
        return all.length;
      },
      (count) => count > 0,
    );
    expect(all).toEqual(["close: disconnected"]);
  });
});
