/** The server of the cases in eventsource-cases.ts: each case asks it by the query for the stream that it needs. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A server on two origins: the page's own, and another one for cross-origin requests. */
export class EventSourceServer implements AsyncDisposable {
  readonly #servers: readonly Server[];
  /** How often each key was asked for. */
  readonly #counts = new Map<string, number>();
  /** Keys whose client has disconnected. */
  readonly #gone = new Set<string>();
  /** @param script The code that the page and the worker at /worker.js load. */
  readonly #script: string;

  static async start(script = ""): Promise<EventSourceServer> {
    const server = new EventSourceServer(script);
    for (const one of server.#servers) await once(one.listen(0, "127.0.0.1"), "listening");
    return server;
  }

  private constructor(script: string) {
    this.#script = script;
    this.#servers = [0, 1].map(() => createServer((req, res) => this.#answer(req, res)));
  }

  get origin(): string {
    return this.#originOf(0);
  }

  get otherOrigin(): string {
    return this.#originOf(1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await once(server.close(), "close");
    }
  }

  #originOf(index: number): string {
    return `http://127.0.0.1:${((this.#servers[index] as Server).address() as AddressInfo).port}`;
  }

  #answer(req: IncomingMessage, res: ServerResponse): void {
    const { pathname, searchParams } = new URL(req.url ?? "/", "http://localhost");
    const query = (name: string): string | undefined => searchParams.get(name) ?? undefined;
    const key = query("key") ?? "";
    const count = (this.#counts.get(key) ?? 0) + 1;
    if (pathname === "/" || pathname.endsWith(".js")) {
      res.setHeader("content-type", pathname === "/" ? "text/html" : "text/javascript");
      res.end(pathname === "/" ? "<!doctype html>" : this.#script);
      return;
    }
    // --- questions about a key ---
    if (pathname === "/state") {
      res.setHeader("access-control-allow-origin", "*");
      res.end(JSON.stringify({ requests: count - 1, gone: this.#gone.has(key) }));
      return;
    }
    this.#counts.set(key, count);
    // --- streams: ?cors=origin|*|none, ?status=, ?type=, ?body=, ?later= for the requests after the first, ?end ---
    const { origin } = req.headers;
    if (query("cors") === "origin" && origin !== undefined) {
      res.setHeader("access-control-allow-origin", origin);
      res.setHeader("access-control-allow-credentials", "true");
    } else if (query("cors") === "*") res.setHeader("access-control-allow-origin", "*");
    if (query("redirect") !== undefined && query("redirected") === undefined) {
      const target = query("to") ?? "";
      res.writeHead(Number(query("redirect")), { location: `${target}${req.url}&redirected=1` }).end();
      return;
    }
    const status = Number((count > 1 ? query("laterStatus") : undefined) ?? query("status") ?? 200);
    if (status === 0) {
      res.destroy();
      return;
    }
    const type = query("type") ?? "text/event-stream";
    res.writeHead(status, type === "" ? {} : { "content-type": type });
    if (status === 204 || status === 205) {
      res.end();
      return;
    }
    const text = (count > 1 ? query("later") : undefined) ?? query("body") ?? "";
    res.once("close", () => this.#gone.add(key));
    res.write(`${expand(text, req)}`);
    if (query("hex") !== undefined) res.write(Buffer.from(query("hex") as string, "hex"));
    const stays = query("end") === undefined || (query("end") === "first" && count > 1);
    if (!stays) res.end();
  }
}

/** `{accept}` stands for the header of that name of the request, as text that was sent as UTF-8. */
function expand(text: string, { headers }: IncomingMessage): string {
  return text.replace(/\{([a-z-]+)\}/g, (_, name: string) => {
    const value = headers[name];
    return value === undefined ? "none" : Buffer.from(String(value), "latin1").toString("utf8");
  });
}
