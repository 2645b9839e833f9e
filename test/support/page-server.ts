/** A server on loopback that gives out an empty page, and streams by the routes of a test. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Route = (req: IncomingMessage, res: ServerResponse) => unknown;

export interface PageServer extends AsyncDisposable {
  readonly origin: string;
  /** What it answers, by path. A test puts its own in. */
  readonly routes: Map<string, Route>;
  /** The streams that were asked for: the path, and the `Last-Event-ID` if there was one. */
  readonly asked: [path: string, lastEventId: string | undefined][];
  /** Cuts all connections, as a proxy that restarts does. */
  cut(): void;
}

const page = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>A page of the test</title>';
/** A cookie is sent to all ports of its host, where the page and what asks allow it. */
const pageHeaders = { "content-type": "text/html", "set-cookie": "user=ada" };

export async function startPageServer(): Promise<PageServer> {
  const routes = new Map<string, Route>();
  const asked: PageServer["asked"] = [];
  const server = createServer((req, res) => {
    const { pathname } = new URL(req.url ?? "/", "http://localhost");
    if (pathname === "/") return void res.writeHead(200, pageHeaders).end(page);
    asked.push([pathname, req.headers["last-event-id"] as string | undefined]);
    const route = routes.get(pathname);
    if (route === undefined) res.writeHead(404).end();
    else route(req, res);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    routes,
    asked,
    cut: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
