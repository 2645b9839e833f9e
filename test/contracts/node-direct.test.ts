/** Frames that bypass Node's own path from a response to its socket, and all bytes that must take that path. */
import { once } from "node:events";
import { readFileSync, writeSync } from "node:fs";
import { createServer, type Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import * as nodeAdapter from "../../src/adapters/node.ts";
import type { EventSource } from "../../src/index.ts";
import { Http1Client } from "../support/client.ts";
import { expectConsole } from "../support/console.ts";
import { temporaryFile } from "../support/temporary.ts";

// For what no client can be brought to do at a given moment.
vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  return { ...fs, writeSync: vi.fn(fs.writeSync) };
});

interface Opened {
  client: Http1Client;
  source: EventSource;
  res: ServerResponse;
  socket: Socket;
}

let opened: { server: Server; client: Http1Client } | undefined;
afterEach(async () => {
  opened?.client.leave();
  if (opened?.server.listening) await once(opened.server.close(), "close");
  opened = undefined;
});

/** A stream whose opening has arrived. */
async function open(
  {
    server = createServer(),
    listen = (server) => server.listen(0, "127.0.0.1"),
    dial = (server) => connect((server.address() as AddressInfo).port, "127.0.0.1"),
  }: {
    server?: Server;
    listen?: (server: Server) => Server;
    dial?: (server: Server) => Socket;
  } = {},
  { openEventSource } = nodeAdapter,
): Promise<Opened> {
  const routed = Promise.withResolvers<Omit<Opened, "client">>();
  server.on("request", (req, res) => {
    const source = openEventSource(req, res, { retry: 1_000, maxBufferedBytes: "64mb" });
    routed.resolve({ source, res, socket: req.socket });
  });
  await once(listen(server), "listening");
  const client = new Http1Client(dial(server));
  opened = { server, client };
  const stream = await routed.promise;
  await client.opened();
  return { client, ...stream };
}

/** Dispatches an event, waits until it has arrived, and says whether Node's stream has seen its bytes. */
async function passesBy({ client, source, socket }: Opened): Promise<boolean> {
  // Node counts what it wrote itself.
  const before = socket.bytesWritten;
  source.dispatch("t", "passing by");
  expect(await client.next()).toMatchObject({ type: "t", data: "passing by" });
  return socket.bytesWritten === before;
}

const opening = ": keep-alive 30000\nretry: 1000\n";

describe("bytes go to the system at once", () => {
  test("on TCP, each event in a chunk of its own", async () => {
    const stream = await open();
    expect(await passesBy(stream)).toBe(true);
    expect(await passesBy(stream)).toBe(true);
    await stream.source.close();
    expect(await stream.client.rest()).toBe("end");
    expect(stream.client.pieces.map(String)).toEqual([opening, ...Array(2).fill("event: t\ndata: passing by\n\n")]);
  });

  test("with one call for all events of a tick", async () => {
    const { client, source } = await open();
    vi.mocked(writeSync).mockClear();
    for (let n = 0; n < 100; n++) source.dispatch("t", n);
    await client.until(() => client.parser.events.length === 100);
    expect(writeSync).toHaveBeenCalledOnce();
  });

  test("the header and what follows it in one call, as two writes of Node's socket", async () => {
    const server = createServer();
    const calls: number[] = [];
    server.on("request", (_req, res) => {
      const internals = res.socket as unknown as { _writev(chunks: readonly unknown[], ...rest: unknown[]): void };
      const { _writev: writev } = internals;
      vi.spyOn(internals, "_writev").mockImplementation(function (this: unknown, chunks, ...rest) {
        calls.push(chunks.length);
        writev.call(this, chunks, ...rest);
      });
    });
    const { client, source } = await open({ server });
    expect(calls).toEqual([2]);
    await source.close();
    expect(await client.rest()).toBe("end");
    expect(client.body.toString()).toBe(opening);
  });

  test.skipIf(process.platform === "win32")("on a socket of Unix", async () => {
    const { path, remove } = temporaryFile("socket");
    onTestFinished(remove);
    const stream = await open({ listen: (server) => server.listen(path), dial: () => connect(path) });
    expect(await passesBy(stream)).toBe(true);
  });

  // Of a large one the system takes a part when it is nearly full, of a small one nothing.
  test.each([70_001, 2_003])("and what the system does not take of events of %i B follows, in order", async (size) => {
    const { client, source } = await open();
    client.pause();
    let sent = 0;
    for (; source.bufferedAmount < 200_000; sent++) {
      source.dispatch("t", `${sent} `.padEnd(size, "x"));
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.resume();
    await client.until(() => client.parser.events.length === sent);
    const numbers = client.parser.events.map(({ data }) => (data.length === size ? Number.parseInt(data, 10) : data));
    expect(numbers).toEqual([...Array(sent).keys()]);
  });
});

describe("Node's own way is taken", () => {
  test("while bytes wait in its socket", async () => {
    const { client, source, socket } = await open();
    socket.cork();
    socket.write("8\r\n: first\n\r\n");
    source.dispatch("t", "second");
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    socket.uncork();
    await client.next();
    expect(client.body.toString()).toBe(`${opening}: first\nevent: t\ndata: second\n\n`);
  });

  test("where a socket has an inactivity timer, which every write sets back", async () => {
    const stream = await open();
    stream.socket.setTimeout(60_000);
    expect(await passesBy(stream)).toBe(false);
    stream.socket.setTimeout(0);
    expect(await passesBy(stream)).toBe(true);
  });

  test("where the socket's own way to write was replaced", async () => {
    const stream = await open();
    const internals = stream.socket as unknown as { _write(...args: unknown[]): void };
    const write = vi.spyOn(internals, "_write");
    expect(await passesBy(stream)).toBe(false);
    expect(write).toHaveBeenCalledOnce();
  });

  test.each([
    ["response", ServerResponse.prototype],
    ["socket", Socket.prototype],
  ] as const)("where an agent has replaced write() of every %s before the package was loaded", async (_, prototype) => {
    const { write } = prototype as { write: (...args: unknown[]) => boolean };
    const seen: string[] = [];
    Object.defineProperty(prototype, "write", {
      configurable: true,
      value(this: unknown, ...args: unknown[]) {
        seen.push(Buffer.from(args[0] as Uint8Array).toString());
        return write.apply(this, args);
      },
    });
    onTestFinished(() => void Reflect.deleteProperty(prototype, "write"));
    vi.resetModules();
    const stream = await open({}, await import("../../src/adapters/node.ts"));
    expect(await passesBy(stream)).toBe(false);
    expect(seen.join("")).toContain("passing by");
  });

  test("where middleware has replaced flushHeaders(), to send the header later", async () => {
    const server = createServer();
    server.on("request", (_req, res) => {
      const { flushHeaders } = res;
      res.flushHeaders = () => void setImmediate(() => flushHeaders.call(res));
    });
    const stream = await open({ server });
    expect(await passesBy(stream)).toBe(false);
    expect(stream.client.body.toString()).toBe(`${opening}event: t\ndata: passing by\n\n`);
  });

  test("where there is no descriptor, as on Windows", async () => {
    const stream = await open();
    descriptor(stream.socket, -1);
    expect(await passesBy(stream)).toBe(false);
  });

  test("over TLS, whose descriptor takes no plain text", async () => {
    const tls = (name: string) => readFileSync(new URL(`../support/tls/${name}.pem`, import.meta.url));
    const server = createTlsServer({ key: tls("key"), cert: tls("cert") }) as unknown as Server;
    const dial = () =>
      connectTls({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", rejectUnauthorized: false });
    const stream = await open({ server, dial });
    expect(await passesBy(stream)).toBe(false);
    await stream.source.close();
    expect(await stream.client.rest()).toBe("end");
    expect(stream.client.body.toString()).toBe(`${opening}event: t\ndata: passing by\n\n`);
  });
});

test("nothing is written after an application has ended the response itself", async () => {
  expectConsole(/was ended by a caller other than its EventSource/);
  const { client, source, res } = await open();
  const received: Buffer[] = [];
  client.stream.on("data", (bytes) => received.push(bytes));
  client.pause();
  // More than the system takes, so that the end has to wait.
  res.write(`:${"x".repeat(16_000_000)}\n\n`);
  res.end();
  source.dispatch("t", "too late");
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
  client.resume();
  expect(await client.rest()).toBe("end");
  await vi.waitUntil(() => source.readyState === source.CLOSED);
  expect(Buffer.concat(received).toString("latin1").slice(-10)).toBe("x\n\n\r\n0\r\n\r\n");
});

describe("writes that the system rejects", () => {
  test("for now, since it has no room, is written when it has", async () => {
    const stream = await open();
    refuseOnce("EAGAIN");
    expect(await passesBy(stream)).toBe(false);
    expect(await passesBy(stream)).toBe(true);
  });

  test("permanently counts as a disconnect, not as an error", async () => {
    const { source } = await open();
    refuseOnce("EPIPE");
    const closed = once(source, "close");
    expect(source.dispatch("t", 1)).toBe(true);
    await closed;
    expect(source.closeReason).toBe("disconnected");
    expect(source.dispatch("t", 2)).toBe(false);
  });
});

function refuseOnce(code: string): void {
  vi.mocked(writeSync).mockImplementationOnce(() => {
    throw Object.assign(new Error(code), { code });
  });
}

function descriptor(socket: Socket, value: number): void {
  Object.defineProperty((socket as unknown as { _handle: object })._handle, "fd", { value });
}
