import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import compression from "compression";
import { expect, onTestFinished, test } from "vitest";
import { openEventSource, respond } from "../../src/adapters/node.ts";
import { createHub, EventSourceSet } from "../../src/index.ts";
import { Http1Client } from "../support/client.ts";
import { expectConsole } from "../support/console.ts";
import { Decompressing } from "../support/decompressing.ts";

const headers = { "accept-encoding": "gzip" };

/** A client of a server on node:http, which has received its header. */
async function request(listener: RequestListener): Promise<Http1Client> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new Http1Client((server.address() as AddressInfo).port, { headers });
  onTestFinished(async () => {
    client.leave();
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  await client.until(() => client.status !== 0);
  return client;
}

test.each([
  ["that leaves streams alone", undefined],
  ["that would compress it", { "cache-control": "no-cache" }],
])("after compression() %s, a response is compressed once", async (_, own) => {
  const set = new EventSourceSet({ compress: true });
  onTestFinished(() => void set.closeAll());
  const compress = compression();
  const client = await request((req, res) =>
    compress(req as never, res as never, () => {
      set.add(openEventSource(req, res, own === undefined ? {} : { headers: own }));
    }),
  );
  expect(client.headers["content-encoding"]).toBe("gzip");
  using stream = new Decompressing(client);
  for (const text of ["one", "two", "three"]) {
    set.dispatch("message", text);
    await stream.until(() => stream.parser.events.at(-1)?.data === text);
  }
  expect(client.headers.vary?.toLowerCase()).toBe("accept-encoding");
});

test("a header that another one has sent before the end of the tick stays, with its body", async () => {
  const set = new EventSourceSet({ compress: true });
  expectConsole(/was ended by a caller other than its EventSource/);
  const closed = Promise.withResolvers<string>();
  const client = await request((req, res) => {
    const source = openEventSource(req, res);
    source.addEventListener("close", ({ reason }) => closed.resolve(reason));
    set.add(source);
    res.writeHead(500, { "content-type": "text/plain" }).end("It failed");
  });
  expect([await client.rest(), client.status, client.body.toString()]).toEqual(["end", 500, "It failed"]);
  expect([await closed.promise, set.size]).toEqual(["disconnected", 0]);
});

test("a source that is closed in the tick in which it is opened has its whole body", async () => {
  const set = new EventSourceSet({ compress: true });
  const client = await request((req, res) => {
    const source = openEventSource(req, res);
    set.add(source);
    set.dispatch("message", "the only one");
    void source.close();
  });
  using stream = new Decompressing(client);
  await stream.until(() => stream.parser.events.length > 0);
  expect([stream.parser.events[0]?.data, await client.rest()]).toEqual(["the only one", "end"]);
});

test("hundreds of clients on sockets share the bytes of each event", async () => {
  const hub = createHub({ compress: true });
  onTestFinished(() => hub.close());
  const server = createServer((req, res) => respond(hub, req, res, { channels: ["news"] })).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: 100 }, () => new Http1Client(port, { headers }));
  onTestFinished(async () => {
    for (const client of clients) client.leave();
    server.close();
    await once(server, "close");
  });
  await Promise.all(clients.map((client) => client.opened()));
  for (let n = 0; n < 5; n++) {
    const before = clients.map(({ pieces }) => pieces.length);
    await hub.channel("news").dispatchMessage("the same words for all of them");
    await Promise.all(clients.map((client, index) => client.until(() => client.pieces.length > (before[index] ?? 0))));
  }
  const last = new Set(clients.map(({ pieces }) => pieces.at(-1)?.toString("hex")));
  expect([last.size, clients[0]?.pieces.at(-1)?.length ?? 0]).toEqual([1, expect.any(Number)]);
  expect(clients[0]?.pieces.at(-1)?.length).toBeLessThan(40);
});
