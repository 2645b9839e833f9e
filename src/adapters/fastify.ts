// sourcecast/fastify: event sources and subscriptions of a hub on the request and reply of Fastify.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import type { Duration } from "../base/units.ts";
import type { Hub } from "../hub/hub.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import type { Exchange } from "../sinks/exchange.ts";
import { type NodeRequest, onNodeExchange } from "../sinks/node-request.ts";
import type { NodeResponse } from "../sinks/node-response.ts";
import type { ContractOptions, SourceOptions } from "../source/options.ts";
import { EventSource } from "../source/source.ts";
import type { EventMap } from "../wire/event-types.ts";

/** The part of Fastify's request that this package uses. */
export interface FastifyRequestLike {
  readonly raw: NodeRequest;
}

/** The part of a Fastify instance that this package uses. */
export interface FastifyInstanceLike {
  /** The server of `node:http` or `node:http2`. */
  readonly server: object;
  // biome-ignore lint/suspicious/noExplicitAny: Fastify overloads it for each kind of hook
  addHook(name: "preClose", hook: (done: () => void) => void): any;
}

/** The part of Fastify's reply that this package uses. */
export interface FastifyReplyLike {
  readonly raw: NodeResponse;
  readonly sent: boolean;
  /** The instance that the route belongs to. */
  readonly server: FastifyInstanceLike;
  getHeaders(): Readonly<Record<string, number | string | string[] | undefined>>;
  hijack(): unknown;
}

/**
 * Opens an event source on a reply, with the headers that hooks and plugins have set so far. The handler returns nothing
 * afterwards. `onSend` hooks do not run for the stream; `onResponse` hooks run when it ends.
 *
 * @param options Options of the source, or its keep-alive alone.
 * @throws {SourcecastTypeError} `ERR_SSE_ARGUMENT` for Node's own request and response, `ERR_SSE_RESPONSE_USED` for a reply
 * that was sent already, `ERR_SSE_OPTION` for an invalid option; nothing has been sent then.
 * @example
 * ```ts excerpt examples/fastify/server.js
 * import fastify from "fastify";
 * import { endStreamsOnClose, openEventSource, respond } from "sourcecast/fastify";
 *
 * const app = fastify();
 *
 * app.get("/events", (request, reply) => {
 *   const source = openEventSource(request, reply);
 *   clients.add(source);
 * });
 * ```
 */
export function openEventSource<E extends EventMap = false>(
  request: FastifyRequestLike,
  reply: FastifyReplyLike,
  options?: (SourceOptions & ContractOptions<E>) | Duration,
): EventSource<E> {
  const open = (exchange: Exchange) => new EventSource<E>(exchange, options);
  const source = onFastifyExchange("openEventSource", request, reply, open);
  // Not earlier: Fastify must still be able to answer an error that is thrown before the stream is open.
  reply.hijack();
  closeWithServer(reply, source);
  return source;
}

/**
 * Answers a request with a stream of a hub's channels, as `hub.response()` does. The handler returns or awaits the promise.
 *
 * @returns The source, or `null` if the request got another response, such as 204, 403, or 400 for an invalid value.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a mistake in the options; nothing has been sent then.
 * @example
 * ```ts excerpt examples/fastify/server.js
 * import { createHub, EventSourceSet } from "sourcecast";
 * import { endStreamsOnClose, openEventSource, respond } from "sourcecast/fastify";
 *
 * const hub = createHub();
 *
 * app.get("/news", (request, reply) => respond(hub, request, reply, { channels: ["news"] }));
 * ```
 */
export async function respond<E extends EventMap>(
  hub: Hub<E>,
  request: FastifyRequestLike,
  reply: FastifyReplyLike,
  options: SubscribeOptions,
): Promise<EventSource | null> {
  const open = (exchange: Exchange) => hub.open(exchange, options);
  const source = await onFastifyExchange("respond", request, reply, open);
  reply.hijack();
  if (source !== null) closeWithServer(reply, source);
  return source;
}

/**
 * A plugin of Fastify that ends all event streams in a `preClose` hook, so that `app.close()` need not wait for their clients.
 *
 * @example
 * ```ts excerpt examples/fastify/server.js
 * import fastify from "fastify";
 * import { endStreamsOnClose, openEventSource, respond } from "sourcecast/fastify";
 *
 * const app = fastify();
 * app.register(endStreamsOnClose);
 * ```
 */
export function endStreamsOnClose(app: FastifyInstanceLike, _options: unknown, done: () => void): void {
  app.addHook("preClose", (next) => {
    for (const source of openSources.get(app.server) ?? []) void source.close("shutdown");
    next();
  });
  done();
}

/** The open streams of each server. */
const openSources = new WeakMap<object, Set<{ close(reason: string): Promise<void> }>>();

function closeWithServer<E extends EventMap>(reply: FastifyReplyLike, source: EventSource<E>): void {
  const server = reply.server?.server;
  if (server === undefined || source.closeReason !== null) return;
  const sources = openSources.get(server) ?? new Set();
  openSources.set(server, sources);
  sources.add(source);
  source.addEventListener("close", () => sources.delete(source));
}

function onFastifyExchange<T>(
  caller: string,
  request: FastifyRequestLike,
  reply: FastifyReplyLike,
  open: (exchange: Exchange) => T,
): T {
  if (typeof reply?.hijack !== "function" || request?.raw === undefined) {
    throw new SourcecastTypeError(
      "ERR_SSE_ARGUMENT",
      `${caller}() of sourcecast/fastify takes Fastify's request and reply, but got ${quote(request)} and ` +
        `${quote(reply)}; for those of node:http use sourcecast/node`,
    );
  }
  if (reply.sent) {
    throw new SourcecastTypeError(
      "ERR_SSE_RESPONSE_USED",
      "The reply has been sent already; open the event source in its place, and return nothing after it",
    );
  }
  return onNodeExchange(caller, request.raw, reply.raw, true, (exchange) => {
    // Fastify buffers headers until it sends a reply, which it does not do for a hijacked one.
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) reply.raw.setHeader(name, value);
    }
    return open(exchange);
  });
}
