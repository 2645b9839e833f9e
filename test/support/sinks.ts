import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { Readable } from "node:stream";
import { type NodeSourceOptions, openEventSource } from "../../src/adapters/node.ts";
import { EventSource, EventSourceSet } from "../../src/index.ts";
import { type Client, type ClientRequest, Http1Client, Http2Client } from "./client.ts";

/** One request at a server, before a source is made for it. */
export interface Exchange {
  /** @param set A set that the source is added to at once. */
  open(options?: NodeSourceOptions, set?: EventSourceSet): EventSource;
  readBody(): Promise<string>;
  /** Resolves when the server could know that the client has left. */
  readonly left: Promise<unknown>;
  /** The objects below the sink, for tests that inspect them. */
  readonly req: IncomingMessage | Http2ServerRequest;
  readonly res: ServerResponse | Http2ServerResponse;
}

/** A way in which bytes leave, with a real server and a client for it. */
export interface Sink {
  readonly name: string;
  start(route: (exchange: Exchange) => unknown): Promise<Running>;
}

export interface Running {
  readonly port: number;
  readonly server: Server;
  connect(request?: ClientRequest): Client;
  stop(): Promise<void>;
}

type Req = IncomingMessage | Http2ServerRequest;
type Res = ServerResponse | Http2ServerResponse;

/** `openEventSource` on a server of Node. */
function nodeExchange(req: Req, res: Res): Exchange {
  return {
    req,
    res,
    left: once(res, "close"),
    open(options, set) {
      const source = openEventSource(req, res, options);
      set?.add(source);
      return source;
    },
    readBody: () => readText(req),
  };
}

/** A web handler on `node:http`, by the smallest bridge that keeps the promises of the fetch standard. */
function webExchange(req: Req, res: Res): Exchange {
  const controller = new AbortController();
  res.on("close", () => controller.abort());
  const { method = "GET" } = req;
  const headers = Object.entries(req.headers).map(([name, value]): [string, string] => [name, String(value)]);
  const hasBody = method !== "GET" && method !== "HEAD" && method !== "OPTIONS";
  const request = new Request(`http://${req.headers.host}${req.url}`, {
    method,
    headers,
    signal: controller.signal,
    ...(hasBody ? { body: Readable.toWeb(req as IncomingMessage) as ReadableStream, duplex: "half" } : {}),
  } as RequestInit);
  return {
    req,
    res,
    left: once(res, "close"),
    readBody: () => request.text(),
    open(options, set) {
      const source = new EventSource(request, options);
      set?.add(source);
      void send(source.response(), res as ServerResponse);
      return source;
    },
  };
}

async function send(response: Response, res: ServerResponse): Promise<void> {
  res.writeHead(response.status, Object.fromEntries(response.headers));
  res.flushHeaders();
  const reader = response.body?.getReader();
  res.on("close", () => void reader?.cancel().catch(() => {}));
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
    if (!res.write(part.value) && !res.destroyed) await room(res);
  }
  res.end();
}

function room(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      res.off("drain", done);
      res.off("close", done);
      resolve();
    };
    res.on("drain", done);
    res.on("close", done);
  });
}

async function readText(stream: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function running(
  server: Server,
  makeClient: (port: number, request?: ClientRequest) => Client,
): Promise<Running> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const clients: Client[] = [];
  return {
    port,
    server,
    connect(request) {
      const client = makeClient(port, request);
      clients.push(client);
      return client;
    },
    async stop() {
      for (const client of clients) client.leave();
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

const http1 = (port: number, request?: ClientRequest): Client => new Http1Client(port, request);
const http2 = (port: number, request?: ClientRequest): Client => new Http2Client(port, request);

export const webSink: Sink = {
  name: "a web Response, served over node:http",
  start: (route) =>
    running(
      createServer((req, res) => void route(webExchange(req, res))),
      http1,
    ),
};

export const http1Sink: Sink = {
  name: "openEventSource on node:http",
  start: (route) =>
    running(
      createServer((req, res) => void route(nodeExchange(req, res))),
      http1,
    ),
};

export const http2Sink: Sink = {
  name: "openEventSource on node:http2",
  start: (route) =>
    running(
      createHttp2Server(
        { settings: { maxConcurrentStreams: 4_096 } },
        (req, res) => void route(nodeExchange(req, res)),
      ),
      http2,
    ),
};

/** A sink whose clients accept gzip, and whose sources are each in a set that compresses. */
export function compressed({ name, start }: Sink): Sink {
  return {
    name: `${name}, compressed`,
    async start(route) {
      const server = await start(({ open, ...exchange }) =>
        route({ ...exchange, open: (options) => open(options, new EventSourceSet({ compress: true })) }),
      );
      return { ...server, connect: (request) => server.connect({ ...request, gunzip: true }) };
    },
  };
}
