/** A server on loopback that gives out an empty page, and streams by the routes of a test. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createSecureServer } from "node:http2";
import type { AddressInfo, Socket } from "node:net";

export type Route = (req: IncomingMessage, res: ServerResponse) => unknown;

export interface PageServer extends AsyncDisposable {
  readonly origin: string;
  /** The responses by path. A test adds its own. */
  readonly routes: Map<string, Route>;
  /** The streams that were asked for: the path, and the `Last-Event-ID` if there was one. */
  readonly asked: [path: string, lastEventId: string | undefined][];
  /** Cuts all connections, as a proxy that restarts does. */
  cut(): void;
}

const page = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>A page of the test</title>';
/** A cookie is sent to all ports of its host, where the page and what asks allow it. */
const pageHeaders = { "content-type": "text/html", "set-cookie": "user=ada" };

export async function startPageServer({ http2 = false } = {}): Promise<PageServer> {
  const routes = new Map<string, Route>();
  const asked: PageServer["asked"] = [];
  const answer: Route = (req, res) => {
    const { pathname } = new URL(req.url ?? "/", "http://localhost");
    if (pathname === "/") return void res.writeHead(200, pageHeaders).end(page);
    asked.push([pathname, req.headers["last-event-id"] as string | undefined]);
    const route = routes.get(pathname);
    if (route === undefined) res.writeHead(404).end();
    else route(req, res);
  };
  // Node's compatibility layer for HTTP/2 passes objects that are similar enough.
  const server = http2
    ? createSecureServer({ ...tls(), settings: { maxConcurrentStreams: 4_096 } }, answer as never)
    : createServer(answer);
  const sockets = new Set<Socket>();
  server.on(http2 ? "secureConnection" : "connection", (socket: Socket) => {
    sockets.add(socket.once("close", () => sockets.delete(socket)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    origin: `${http2 ? "https" : "http"}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    routes,
    asked,
    cut,
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      cut();
      await closed;
    },
  };
}

function tls(): { key: Buffer; cert: Buffer } {
  const read = (name: string): Buffer => readFileSync(new URL(`tls/${name}.pem`, import.meta.url));
  return { key: read("key"), cert: read("cert") };
}
