import { once } from "node:events";
import { type ClientHttp2Session, connect, createServer, type Http2Server, type Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { type NodeRequest, type NodeSourceOptions, openEventSource } from "../../src/adapters/node.ts";
import type { EventSource } from "../../src/index.ts";
import { type ClientRequest, Http2Client } from "../support/client.ts";

let server: Http2Server;
let sessions: ClientHttp2Session[] = [];
afterEach(async () => {
  for (const session of sessions) session.destroy();
  sessions = [];
  server.close();
  await once(server, "close");
});

async function serve(route: (req: NodeRequest, res: Http2ServerResponse) => unknown): Promise<number> {
  server = createServer({ settings: { maxConcurrentStreams: 4_096 } }, (req, res) => void route(req, res));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function open(
  options?: NodeSourceOptions,
  request?: ClientRequest,
  prepare?: (res: Http2ServerResponse) => void,
) {
  const routed = Promise.withResolvers<{ source: EventSource; res: Http2ServerResponse }>();
  const port = await serve((req, res) => {
    prepare?.(res);
    routed.resolve({ source: openEventSource(req, res, options), res });
  });
  const client = new Http2Client(port, request);
  sessions.push(client.session);
  const opened = await routed.promise;
  await client.opened();
  return { client, ...opened };
}

test("rule 19: none of the headers that are errors on HTTP/2, even if the application sets them", async () => {
  const headers = { Connection: "keep-alive", "Keep-Alive": "timeout=5", "Transfer-Encoding": "chunked", "x-own": "1" };
  const { client } = await open({ headers });
  expect(client.headers).toMatchObject({ "content-type": "text/event-stream", "x-own": "1" });
  for (const name of ["connection", "keep-alive", "transfer-encoding"]) expect(client.headers).not.toHaveProperty(name);
});

test("rule 21: the documented setting makes room for more streams than the hundred at which browsers stop", async () => {
  const sources: EventSource[] = [];
  const port = await serve((req, res) => sources.push(openEventSource(req, res)));
  const session = connect(`http://127.0.0.1:${port}`);
  sessions.push(session);
  await once(session, "remoteSettings");
  expect(session.remoteSettings.maxConcurrentStreams).toBe(4_096);
  const streams = Array.from({ length: 150 }, () => session.request({ ":path": "/" }));
  await Promise.all(streams.map((stream) => once(stream, "data")));
  expect(sources.filter((source) => source.readyState === 1)).toHaveLength(150);
});

test("rule 18: headers that were set on the response before are kept, and can be removed", async () => {
  const { client } = await open({ headers: { "x-removed": null } }, {}, (res) => {
    res.setHeader("X-Kept", "1");
    res.setHeader("X-Removed", "1");
    res.setHeader("Content-Type", "text/html");
    res.setHeader("Content-Length", "5");
  });
  expect(client.headers).toMatchObject({ "x-kept": "1", "content-type": "text/event-stream" });
  expect(client.headers).not.toHaveProperty("x-removed");
  expect(client.headers).not.toHaveProperty("content-length");
});

test("several events of one tick leave in one write", async () => {
  const { client, source, res } = await open();
  const write = vi.spyOn(res.stream, "write");
  for (let n = 0; n < 50; n++) source.dispatch("t", n);
  await client.until(() => client.parser.events.length === 50);
  expect(write).toHaveBeenCalledOnce();
});

test("a client that gives up one stream of its connection is seen to leave, the other streams stay", async () => {
  const sources: EventSource[] = [];
  const port = await serve((req, res) => sources.push(openEventSource(req, res)));
  const session = connect(`http://127.0.0.1:${port}`);
  sessions.push(session);
  const streams = [session.request({ ":path": "/" }), session.request({ ":path": "/" })] as const;
  await Promise.all(streams.map((stream) => once(stream, "data")));
  const closed = new Promise((resolve) => sources[0]?.addEventListener("close", resolve));
  streams[0].close(8);
  await closed;
  expect(sources.map((source) => source.closeReason)).toEqual(["disconnected", null]);
});

test("a session that the server destroys ends its sources as disconnected", async () => {
  const { source, res } = await open();
  const closed = new Promise((resolve) => source.addEventListener("close", resolve));
  res.stream.session?.destroy();
  await closed;
  expect(source.closeReason).toBe("disconnected");
});

test.each(["GET", "HEAD", "OPTIONS"])(
  "%s of a client that left before the source was made does no harm",
  async (method) => {
    const arrived = Promise.withResolvers<void>();
    const routed = Promise.withResolvers<EventSource>();
    const port = await serve(async (req, res) => {
      arrived.resolve();
      await once(res.stream, "close");
      try {
        routed.resolve(openEventSource(req, res, { cors: true }));
      } catch (error) {
        routed.reject(error);
      }
    });
    const client = new Http2Client(port, { method });
    sessions.push(client.session);
    await arrived.promise;
    client.leave();
    expect((await routed.promise).readyState).toBe(2);
  },
);

test("url names the authority", async () => {
  const { source } = await open({}, { path: "/a?b=c" });
  expect(source.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/a\?b=c$/);
});
