import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";

import { type NodeRequest, type NodeResponse, respond } from "../../src/adapters/node.ts";
import { createHub, type Hub, type HubOptions, type SubscribeOptions } from "../../src/index.ts";
import { memoryLog } from "../../src/logs/memory/index.ts";
import { type Client, type ClientRequest, Http1Client, Http2Client } from "../support/client.ts";
import { root } from "../support/package.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const protocols = [
  {
    name: "node:http",
    listen: (handler: Handler): Server => createServer(handler),
    connect: (port: number, request: ClientRequest): Client => new Http1Client(port, request),
  },
  {
    name: "node:http2",
    listen: (handler: Handler): Server => createHttp2Server({ settings: { maxConcurrentStreams: 4_096 } }, handler),
    connect: (port: number, request: ClientRequest): Client => new Http2Client(port, request),
  },
];

type Handler = (req: NodeRequest, res: NodeResponse) => void;

/** The events that the application published: a hub also sends its client's position. */
function published(client: Client): Client["parser"]["events"] {
  return client.parser.events.filter(({ type }) => !type.startsWith("sse:"));
}

describe.each(protocols)("respond() on $name", ({ listen, connect }) => {
  /** A hub whose channel "a" is served, unless the test says otherwise. */
  async function start(options: HubOptions = {}, subscribe: Partial<SubscribeOptions> = {}) {
    const errors: unknown[] = [];
    const hub: Hub = createHub({ onError: (error) => errors.push(error), ...options });
    const reasons: string[] = [];
    const server = listen(async (req, res) => {
      const source = await respond(hub, req, res, { channels: ["a"], ...subscribe });
      source?.addEventListener("close", ({ reason }) => reasons.push(reason));
    });
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => sockets.add(socket));
    await once(server.listen(0, "127.0.0.1"), "listening");
    closing.push(async () => {
      await hub.close();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
      expect(errors).toEqual([]);
    });
    const { port } = server.address() as AddressInfo;
    const join = async (request: ClientRequest = {}): Promise<Client> => {
      const client = connect(port, request);
      closing.push(() => client.leave());
      await client.until(() => client.ended !== null || client.parser.retry !== undefined || client.status > 200);
      return client;
    };
    return { hub, join, reasons };
  }

  /** Resolves when a client has its place in the log. */
  const placed = (client: Client) => client.until(() => client.parser.lastEventId !== "");

  test("is live, then resumes by header and by query with all that was missed", async () => {
    const { hub, join } = await start();
    const client = await join();
    await placed(client);
    await hub.channel("a").dispatch("n", 1);
    expect(await client.nextPublished()).toMatchObject({ type: "n", data: "1" });
    client.leave();
    for (const n of [2, 3]) await hub.channel("a").dispatch("n", n);
    const { lastEventId } = client.parser;
    for (const request of [{ headers: { "last-event-id": lastEventId } }, { path: `/?lastEventId=${lastEventId}` }]) {
      const back = await join(request);
      expect([await back.nextPublished(), await back.nextPublished()]).toMatchObject([{ data: "2" }, { data: "3" }]);
      expect(back.headers["content-type"]).toBe("text/event-stream");
    }
  });

  test("sends all events of a tick in one piece", async () => {
    const { hub, join } = await start();
    const client = await join();
    await placed(client);
    const before = client.pieces.length;
    await Promise.all([1, 2, 3].map((n) => hub.channel("a").dispatch("n", n)));
    await client.until(() => published(client).length === 3);
    expect(client.pieces.length).toBe(before + 1);
  });

  test("a reader that stops and goes on gets everything, in order, from a log that the ring has moved past", async () => {
    const { hub, join } = await start({ ring: { maxEvents: 10 } });
    const slow = await join();
    const quick = await join();
    await Promise.all([placed(slow), placed(quick)]);
    slow.pause();
    const data = "x".repeat(50_000);
    for (let n = 0; n < 300; n++) {
      await hub.channel("a").dispatch("n", `${n} ${data}`);
      if (n % 10 === 9) await quick.until(() => published(quick).length > n);
    }
    expect(hub.stats().lagging).toBe(1);
    slow.resume();
    await slow.until(() => published(slow).length === 300);
    const numbers = published(slow).map((event) => Number.parseInt(event.data, 10));
    expect(numbers).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(hub.stats()).toMatchObject({ lagging: 0, live: 2, gaps: {} });
  });

  test("one that stops reading is closed as stalled, and loses nothing", async () => {
    const log = memoryLog();
    const { hub, join, reasons } = await start({ log, limits: { stallTimeout: 200 } });
    const patient = await start({ log });
    const slow = await join();
    await placed(slow);
    slow.pause();
    const data = "x".repeat(50_000);
    for (let n = 0; n < 300; n++) {
      await hub.channel("a").dispatch("n", `${n} ${data}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    while (reasons.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect([reasons, hub.stats().connections]).toEqual([["stalled"], 0]);
    slow.leave();
    const { lastEventId } = slow.parser;
    const back = await patient.join({ headers: { "last-event-id": lastEventId } });
    await back.until(() => back.parser.events.at(-1)?.data.startsWith("299 ") === true);
    const numbers = [...published(slow), ...published(back)].map((event) => Number.parseInt(event.data, 10));
    expect(numbers).toEqual(Array.from({ length: 300 }, (_, n) => n));
  });

  test("answers 204, 403, OPTIONS and over a limit correctly, and counts no connection then", async () => {
    const { hub, join } = await start(
      { limits: { connections: 1 }, authorize: ({ request }) => request.headers.get("authorization") !== "bad" },
      { cors: true },
    );
    const end = await hub.channel("a").end();
    const answers = [
      await join({ headers: { "last-event-id": end } }),
      await join({ headers: { authorization: "bad" } }),
      await join({ method: "OPTIONS", headers: { origin: "http://localhost" } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([204, 403, 204]);
    await hub.channel("a").dispatch("n", "again");
    const stays = await join();
    await placed(stays);
    const late = await join();
    await late.rest();
    expect([late.status, late.parser.later?.reason]).toEqual([200, "connections"]);
    expect(late.parser.later?.retry).toBeGreaterThanOrEqual(5_000);
    expect(hub.stats()).toMatchObject({ connections: 1, refused: { authorize: 1, connections: 1 } });
  });

  test("gives the place back when the client leaves, also while it is being asked for", async () => {
    let answer: () => void = () => {};
    const { hub, join } = await start({
      authorize: () =>
        new Promise((resolve) => {
          answer = () => resolve(true);
        }),
    });
    const opening = join();
    while (hub.stats().connections === 0) await new Promise((resolve) => setImmediate(resolve));
    const client = closing.at(-1) as () => unknown;
    client();
    await opening.catch(() => {});
    answer();
    while (hub.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(hub.stats()).toMatchObject({ connections: 0, live: 0, lagging: 0, channels: 0 });
  });

  test("refuses bad channels and options with nothing sent", async () => {
    const hub = createHub();
    closing.push(() => hub.close());
    const refused: unknown[] = [];
    const server = listen(async (req, res) => {
      await respond(hub, req, res, { channels: "a" as never }).catch(({ code }) => refused.push(code));
      (res as { end(text: string): void }).end("mine");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    closing.push(() => new Promise((resolve) => server.close(resolve)));
    const client = connect((server.address() as AddressInfo).port, {});
    closing.push(() => client.leave());
    await client.until(() => client.body.toString() === "mine");
    expect([refused, client.status]).toEqual([["ERR_SSE_CHANNEL"], 200]);
    client.leave();
  });
});

test("SIGTERM ends every stream of a hub properly, with its position, then the process dies by it", async () => {
  const script = join(root, "test/contracts/fixtures/hub.mjs");
  const child = spawn(process.execPath, [script, join(root, "src")], { stdio: ["ignore", "pipe", "inherit"] });
  closing.push(() => child.kill("SIGKILL"));
  const exited = once(child, "close");
  const lines = createInterface(child.stdout);
  const said: string[] = [];
  lines.on("line", (line) => said.push(line));
  const [first] = (await once(lines, "line")) as [string];
  const port = Number(first.split(" ")[1]);
  const clients = [];
  for (let n = 1; n <= 3; n++) {
    const client = new Http1Client(port);
    closing.push(() => client.leave());
    clients.push(client);
    await client.nextPublished();
  }
  child.kill("SIGTERM");
  expect(await Promise.all(clients.map((client) => client.rest()))).toEqual(["end", "end", "end"]);
  expect(published(clients[0] as Client).map(({ data }) => data)).toEqual(["1", "2", "3"]);
  for (const { parser } of clients)
    expect([parser.complete, parser.lastEventId]).toEqual([true, expect.stringContaining(".3.")]);
  expect(await exited).toEqual([null, "SIGTERM"]);
  expect(said.slice(1)).toEqual(Array(3).fill("closed shutdown"));
});
