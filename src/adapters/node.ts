import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { Connection } from "../connection.ts";
import { quote, SourcecastTypeError } from "../errors.ts";
import { type Hub, openSubscription } from "../hub/hub.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import type { ContractOptions, SourceOptions } from "../options.ts";
import type { RequestLike } from "../request.ts";
import { type NodeResponse, NodeSink } from "../sinks/node.ts";
import { EventSource } from "../source.ts";
import type { Events } from "../typing.ts";
import type { Duration } from "../units.ts";

/** The request of `node:http`, of `node:http2`, or of a framework that extends one of them. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type { NodeResponse };

/** The options of {@link openEventSource}. */
export interface NodeSourceOptions extends SourceOptions {
  /**
   * Lets frames pass by `response.write()` to the socket where that is the same, which saves most of the time that a
   * delivery takes. @default true
   */
  direct?: boolean;
}

/**
 * Opens an event source on a response of Node: Express, Koa (`ctx.req`, `ctx.res` with `ctx.respond = false`), Connect, Nest,
 * Fastify (`reply.raw` after `reply.hijack()`), `node:http`, `node:http2`. Header and first byte leave at once.
 *
 * @throws {SourcecastTypeError} for a web request, and for a response that has been sent already.
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { openEventSource } from "sourcecast/node";
 *
 * const server = createServer((req, res) => {
 *   const source = openEventSource(req, res);
 *   source.dispatch("greeting", { hello: "world" });
 * });
 * ```
 */
export function openEventSource<E extends Events = false>(
  req: NodeRequest,
  res: NodeResponse,
  options?: (NodeSourceOptions & ContractOptions<E>) | Duration,
): EventSource<E> {
  assertExchange(req, res);
  const direct = typeof options !== "object" || options.direct !== false;
  return new EventSource<E>(new Connection(new NodeRequestView(req), new NodeSink(res, direct)), options);
}

/**
 * Answers a request of Node with a stream of a hub's channels: as `hub.response()` does, with no stream between the log and
 * the socket.
 *
 * @returns The source, or `null` where the request was answered with something else.
 * @throws {SourcecastTypeError} for channel names and options that are not allowed, with nothing sent.
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { createHub } from "sourcecast";
 * import { respond } from "sourcecast/node";
 *
 * const hub = createHub();
 * const server = createServer((req, res) => respond(hub, req, res, { channels: ["news"] }));
 * await hub.close();
 * ```
 */
export async function respond<E extends Events>(
  hub: Hub<E>,
  req: NodeRequest,
  res: NodeResponse,
  options: SubscribeOptions & { direct?: boolean },
): Promise<EventSource | null> {
  assertExchange(req, res);
  const connection = new Connection(new NodeRequestView(req), new NodeSink(res, options?.direct !== false));
  return openSubscription(hub as Hub<never>, connection, options);
}

/**
 * Settings for `http2.createSecureServer({ settings: http2Settings })`: room for more streams on one connection than the
 * hundred at which browsers stop otherwise.
 */
export const http2Settings: { readonly maxConcurrentStreams: number } = { maxConcurrentStreams: 4096 };

function assertExchange(req: NodeRequest, res: NodeResponse): void {
  const webRequest = typeof (req?.headers as { get?: unknown } | undefined)?.get === "function";
  if (webRequest || typeof req?.headers !== "object") {
    throw new SourcecastTypeError(
      "ERR_SSE_REQUEST",
      webRequest
        ? "openEventSource() was given a web Request; use new EventSource(request) and return its response()"
        : `openEventSource() takes the request of node:http as its first argument, but got ${quote(req)}`,
    );
  }
  if (typeof res?.writeHead !== "function") {
    throw new SourcecastTypeError(
      "ERR_SSE_REQUEST",
      `openEventSource() takes the response of node:http as its second argument, but got ${quote(res)}`,
    );
  }
  if (res.headersSent || res.writableEnded) {
    throw new SourcecastTypeError(
      "ERR_SSE_RESPONSE_TAKEN",
      "The response has been sent already; open the event source before anything writes to it, and return nothing after it",
    );
  }
}

/** What a source asks of a request, in the form of the fetch standard; read when it is asked for. */
class NodeRequestView implements RequestLike {
  readonly #req: NodeRequest;

  constructor(req: NodeRequest) {
    this.#req = req;
  }

  get url(): string {
    const req = this.#req;
    // Express and Connect shorten `url` to the part behind the mount point.
    const path = (req as { originalUrl?: string }).originalUrl ?? req.url ?? "/";
    const scheme = (req.socket as { encrypted?: boolean } | null)?.encrypted ? "https" : "http";
    const authority = req.headers[":authority"] ?? req.headers.host ?? "localhost";
    return path.startsWith("/") ? `${scheme}://${authority}${path}` : path;
  }

  get method(): string {
    return this.#req.method ?? "GET";
  }

  get headers(): this {
    return this;
  }

  get(name: string): string | null {
    const value = this.#req.headers[name];
    return value === undefined ? null : String(value);
  }
}
