import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { serveSuite } from "../contracts/serving-suite.ts";
import { type ClientRequest, Http1Client } from "../support/client.ts";
import { eventually } from "../support/deadline.ts";
import { type Example, installExample } from "../support/example.ts";
import { startFixture } from "../support/fixture.ts";
import type { ServerProcess } from "../support/server-process.ts";

const types = join(import.meta.dirname, "fixtures/ts-rest/types.ts");
const express4 = { versions: { express: "4.22.3" } };

serveSuite("ts-rest on Express 5", () => startFixture("ts-rest"));
serveSuite("ts-rest on Express 4", () => startFixture("ts-rest", express4));

describe.each([
  ["Express 5", {}],
  ["Express 4", express4],
])("the example of ts-rest on %s", (_name, versions) => {
  let example: Example;
  let server: ServerProcess;
  const clients: Http1Client[] = [];

  beforeAll(async () => {
    example = await installExample("ts-rest", { ...versions, files: [types] });
    server = await example.start(["server.ts"], { env: { CONNECTIONS: "3" } });
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

  async function post(path: string, body: unknown): Promise<{ status: number; body: unknown }> {
    const response = await fetch(server.origin + path, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  }

  test("its types fit those of ts-rest", async () => {
    expect(await example.typeErrors()).toBe("");
  });

  test("a controller that returns nothing keeps its stream, with the headers of the document's note", async () => {
    const ann = await open("/events?user=ann").opened();
    expect(ann.status).toBe(200);
    expect(ann.headers).toMatchObject({ "content-type": "text/event-stream", connection: "keep-alive" });
    expect(ann.headers["cache-control"]).toContain("no-cache");
    expect(ann.headers["x-example"], "middleware of ts-rest").toBe("ts-rest");
    const secondTab = await open("/events?user=ann").opened();
    const bob = await open("/events?user=bob").opened();
    const message = { id: "1", message: "Hello, world!" };
    expect(await post("/messages", message)).toMatchObject({ status: 201, body: { connections: 3 } });
    for (const client of [ann, secondTab, bob])
      expect(JSON.parse((await client.nextPublished()).data)).toEqual(message);
    await post("/messages?to=ann", { id: "2", message: "Only Ann" });
    await post("/messages", { id: "3", message: "All" });
    for (const tab of [ann, secondTab]) expect((await tab.nextPublished()).data).toContain("Only Ann");
    expect((await bob.nextPublished()).data).toContain("All");
    expect(server.newOutput()).toBe("");
  });

  test("over the limit a client is told to retry, and the others stay", async () => {
    const late = open("/events?user=late");
    expect(await late.rest()).toBe("end");
    expect(late.status).toBe(200);
    expect(late.parser.retry).toBeGreaterThanOrEqual(5_000);
    expect(clients.slice(0, 3).map(({ ended }) => ended)).toEqual([null, null, null]);
    expect(server.newOutput()).toBe("");
  });

  test("ts-rest handles everything before the stream: results, validation of requests", async () => {
    const nobody = open("/events");
    await nobody.opened();
    expect(nobody.status).toBe(401);
    expect(nobody.headers["content-type"]).toContain("application/json");
    const wrong = await open("/events?user=ann&room=cellar").opened();
    expect(wrong.status).toBe(400);
    expect(await post("/messages", { id: 1 })).toMatchObject({ status: 400, body: { name: "ZodError" } });
    expect(server.newOutput()).toBe("");
  });

  test("a signal ends the streams, and the process", async () => {
    expect(await server.stop()).toBe("SIGTERM");
    expect(await clients[0]?.rest()).toBe("end");
  });
});

describe.each([
  ["Express 5", {}],
  ["Express 4", express4],
])("the page of ts-rest as it is written, on %s", (_name, versions) => {
  let server: ServerProcess;
  const clients: Http1Client[] = [];

  beforeAll(async () => {
    const file = join(import.meta.dirname, "fixtures/ts-rest/document.mjs");
    const example = await installExample("ts-rest", { ...versions, files: [file], copy: "page" });
    server = await example.start(["document.mjs"]);
  }, 300_000);
  afterEach(() => {
    for (const client of clients.splice(0)) client.leave();
  });
  afterAll(() => server?.stop());

  function open(path: string): Http1Client {
    const client = new Http1Client(server.port, { path });
    clients.push(client);
    return client;
  }

  async function send(message: unknown): Promise<number> {
    const headers = { "content-type": "application/json", connection: "close" };
    const response = await fetch(`${server.origin}/send`, { method: "POST", headers, body: JSON.stringify(message) });
    return response.json();
  }

  async function printed(text: RegExp): Promise<void> {
    let output = "";
    const read = async () => {
      output += server.newOutput();
      return output;
    };
    await eventually(`${text} is printed`, read, (all) => text.test(all));
  }

  async function isEmpty(): Promise<void> {
    while ((await send({})) > 0);
  }

  test.each(["/events?user=ann", "/late"])("a controller that returns nothing keeps its stream: %s", async (path) => {
    const client = await open(path).opened();
    expect([client.status, client.headers["content-type"]]).toEqual([200, "text/event-stream"]);
    const message = { id: "1", message: "Hello, world!" };
    expect(await send(message)).toBe(1);
    expect(JSON.parse((await client.nextPublished()).data)).toEqual(message);
    expect(client.ended).toBeNull();
    expect(server.newOutput()).toBe("");
    client.leave();
    await isEmpty();
  });

  test("over the limit the client gets what the controller returns, and the others stay", async () => {
    const first = [await open("/events?user=ann").opened(), await open("/events?user=bob").opened()];
    const late = open("/events?user=late");
    await late.until(() => late.status !== 0 && late.body.length > 0);
    expect([late.status, JSON.parse(late.body.toString())]).toEqual([
      500,
      { message: expect.stringMatching(/2 connections/) },
    ]);
    for (const client of first) client.leave();
    await isEmpty();
    expect(server.newOutput()).toBe("");
  });

  test("an error after attach() is Express's, and the process survives", async () => {
    expect(await open("/throws").rest()).toBe("cut");
    await printed(/^Error: After attach\(\)/);
    const client = await open("/events?user=ann").opened();
    await send({ still: "here" });
    expect((await client.nextPublished()).data).toBe('{"still":"here"}');
  });

  test("a controller that neither attaches nor returns is ts-rest's to answer", async () => {
    const client = open("/nothing");
    await client.until(() => client.status !== 0);
    expect(client.status).toBe(500);
    await printed(/^TypeError: .*reading 'status'/);
  });
});
