/**
 * A test service for harnesses that drive clients of event streams over HTTP, as those of LaunchDarkly do:
 * https://github.com/launchdarkly/sse-contract-tests/blob/main/docs/service_spec.md
 *
 * `node test/support/contract-service.ts subscribe 8000` starts it on a port, for such a harness.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { EventSource } from "../../src/client/eventsource.ts";
import { subscribe } from "../../src/client/index.ts";

/** The parameters of a stream, as the harness posts them. */
interface StreamParameters {
  readonly streamUrl: string;
  readonly callbackUrl: string;
  readonly initialDelayMs?: number;
  readonly readTimeoutMs?: number;
  readonly lastEventId?: string;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly body?: string;
}

/** A running client. */
interface Client {
  listen(type: string): void;
  restart(): void;
  close(): void;
}

type Tell = (message: { kind: "event"; event: object } | { kind: "comment" | "error"; comment: string }) => void;

const common = ["bom", "headers", "last-event-id", "post", "report", "restart", "server-directed-shutdown-request"];

/** The clients, and the optional features that each has. */
export const implementations: Record<
  string,
  { readonly capabilities: readonly string[]; open(parameters: StreamParameters, tell: Tell): Client }
> = {
  subscribe: {
    capabilities: [...common, "comments", "event-type-listeners", "read-timeout"],
    open({ streamUrl, initialDelayMs = 1_000, readTimeoutMs, lastEventId, headers, method, body }, tell) {
      const stream = subscribe(streamUrl, {
        retry: { initial: initialDelayMs, max: Math.max(initialDelayMs, 30_000) },
        ...(readTimeoutMs !== undefined && { timeout: { idle: readTimeoutMs } }),
        ...(lastEventId !== undefined && { after: lastEventId }),
        ...(headers !== undefined && { headers }),
        ...(method !== undefined && { method }),
        ...(body !== undefined && { body }),
      });
      const listen = (type: string): void => {
        stream.on(type, (data, { lastEventId: id }) => tell({ kind: "event", event: { type, data, id } }));
      };
      listen("message");
      stream.onComment((comment) => tell({ kind: "comment", comment }));
      stream.onStatus(({ error }) => error !== undefined && tell({ kind: "error", comment: error.message }));
      return { listen, restart: () => stream.reconnect(), close: () => stream.close() };
    },
  },

  EventSource: {
    capabilities: [...common, "event-type-listeners"],
    open({ streamUrl, lastEventId, headers, method, body }, tell) {
      const line = restartableFetch();
      const source = new EventSource(streamUrl, {
        fetch: line.fetch,
        ...(lastEventId !== undefined && { lastEventId }),
        ...(headers !== undefined && { headers }),
        ...(method !== undefined && { method }),
        ...(body !== undefined && { body }),
      });
      const listen = (type: string): void => {
        source.addEventListener(type, (event) => {
          const { data, lastEventId: id } = event as MessageEvent<string>;
          tell({ kind: "event", event: { type, data, id } });
        });
      };
      listen("message");
      source.onerror = () => tell({ kind: "error", comment: "error" });
      return { listen, restart: line.restart, close: () => source.close() };
    },
  },
};

/** A `fetch` whose open response can be cut off from this end, which makes any client reconnect. */
function restartableFetch(): { fetch: typeof fetch; restart(): void } {
  let restart = (): void => {};
  return {
    async fetch(input, init) {
      const cut = new AbortController();
      restart = () => cut.abort(new Error("The connection was restarted"));
      const signal = AbortSignal.any([cut.signal, ...(init?.signal ? [init.signal] : [])]);
      return fetch(input, { ...init, signal });
    },
    restart: () => restart(),
  };
}

/** The service. */
export class ContractService implements AsyncDisposable {
  readonly #server: Server;
  readonly #name: string;
  readonly #clients = new Map<string, Client>();
  #count = 0;

  /** @param name One of {@link implementations}. */
  static async start(name: string, port = 0): Promise<ContractService> {
    const service = new ContractService(name);
    await once(service.#server.listen(port, "127.0.0.1"), "listening");
    return service;
  }

  private constructor(name: string) {
    this.#name = name;
    this.#server = createServer((req, res) => {
      this.#answer(req).then(
        ({ status, headers = {}, body = "" }) => res.writeHead(status, headers).end(body),
        (error: Error) => res.writeHead(400).end(error.message),
      );
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) client.close();
    this.#server.closeAllConnections();
    await once(this.#server.close(), "close");
  }

  async #answer(req: IncomingMessage): Promise<{ status: number; headers?: Record<string, string>; body?: string }> {
    const { capabilities } = implementations[this.#name] as { capabilities: readonly string[] };
    const path = req.url ?? "/";
    if (path === "/") {
      if (req.method === "GET") return { status: 200, body: JSON.stringify({ name: this.#name, capabilities }) };
      if (req.method === "POST") return { status: 201, headers: { location: this.#open(await bodyOf(req)) } };
      if (req.method === "DELETE") setImmediate(() => void this[Symbol.asyncDispose]());
      return { status: 204 };
    }
    const client = this.#clients.get(path);
    if (client === undefined) return { status: 404 };
    if (req.method === "DELETE") {
      client.close();
      this.#clients.delete(path);
      return { status: 204 };
    }
    const { command, listen } = await bodyOf<{ command: string; listen?: { type: string } }>(req);
    if (command === "listen" && listen !== undefined) client.listen(listen.type);
    else if (command === "restart") client.restart();
    else return { status: 400 };
    return { status: 202 };
  }

  /** @returns The address of the new stream. */
  #open(parameters: StreamParameters): string {
    const path = `/streams/${++this.#count}`;
    // Numbered, and one after the other, so that the harness sees them in order.
    let number = 0;
    let last: Promise<unknown> = Promise.resolve();
    const tell: Tell = (message) => {
      const url = `${parameters.callbackUrl}/${++number}`;
      last = last.then(() => fetch(url, { method: "POST", body: JSON.stringify(message) })).catch(() => {});
    };
    this.#clients.set(path, (implementations[this.#name] as (typeof implementations)[string]).open(parameters, tell));
    return path;
  }
}

async function bodyOf<T = StreamParameters>(req: IncomingMessage): Promise<T> {
  let text = "";
  for await (const chunk of req.setEncoding("utf8")) text += chunk;
  return JSON.parse(text) as T;
}

if (import.meta.main) {
  const [name = "subscribe", port = "8000"] = process.argv.slice(2);
  const { url } = await ContractService.start(name, Number(port));
  process.stdout.write(`${name} is at ${url}\n`);
}
