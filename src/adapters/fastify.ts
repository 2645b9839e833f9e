import { quote, SourcecastTypeError } from "../base/errors.ts";
import type { Duration } from "../base/units.ts";
import type { Hub } from "../hub/hub.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import type { Exchange } from "../sinks/exchange.ts";
import type { NodeResponse } from "../sinks/node.ts";
import { type NodeRequest, nodeExchange } from "../sinks/node-request.ts";
import type { ContractOptions, SourceOptions } from "../source/options.ts";
import { EventSource } from "../source/source.ts";
import type { EventMap } from "../wire/event-types.ts";

/** What is needed of Fastify's request. */
export interface FastifyRequestLike {
  readonly raw: NodeRequest;
}

/** What is needed of Fastify's reply. */
export interface FastifyReplyLike {
  readonly raw: NodeResponse;
  readonly sent: boolean;
  getHeaders(): Readonly<Record<string, number | string | string[] | undefined>>;
  hijack(): unknown;
}

/**
 * Opens an event source on a reply of Fastify, with the headers that its hooks and plugins have set so far. The handler
 * returns nothing after it. Hooks that run when a reply is sent do not see it; those for `onResponse` run at its end.
 *
 * @throws {SourcecastTypeError} for the request and response of Node, and for a reply that has been sent already.
 * @example
 * ```ts excerpt examples/fastify/server.js
 * import fastify from "fastify";
 * import { openEventSource, respond } from "sourcecast/fastify";
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
  const source = new EventSource<E>(fastifyConnection("openEventSource", request, reply), options);
  // Only now: an error before the stream is Fastify's own to answer.
  reply.hijack();
  return source;
}

/**
 * Answers a request with a stream of a hub's channels, as `hub.response()` does. The handler returns or awaits its promise.
 *
 * @returns The source, or `null` where the request was answered with something else.
 * @throws {SourcecastTypeError} for channel names and options that are not allowed, with nothing sent.
 * @example
 * ```ts excerpt examples/fastify/server.js
 * import { createHub, EventSourceSet } from "sourcecast";
 * import { openEventSource, respond } from "sourcecast/fastify";
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
  const source = await hub.open(fastifyConnection("respond", request, reply), options);
  reply.hijack();
  return source;
}

function fastifyConnection(caller: string, request: FastifyRequestLike, reply: FastifyReplyLike): Exchange {
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
  const connection = nodeExchange(caller, request.raw, reply.raw);
  // Fastify keeps headers to itself until it sends, which it will not do.
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  return connection;
}
