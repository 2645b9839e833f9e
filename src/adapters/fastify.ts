// sourcecast/fastify: event sources and subscriptions of a hub on the request and reply of Fastify.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import type { Duration } from "../base/units.ts";
import type { Hub } from "../hub/hub.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import type { Exchange } from "../sinks/exchange.ts";
import { type NodeRequest, nodeExchange } from "../sinks/node-request.ts";
import type { NodeResponse } from "../sinks/node-response.ts";
import type { ContractOptions, SourceOptions } from "../source/options.ts";
import { EventSource } from "../source/source.ts";
import type { EventMap } from "../wire/event-types.ts";

/** The part of Fastify's request that this package uses. */
export interface FastifyRequestLike {
  readonly raw: NodeRequest;
}

/** The part of Fastify's reply that this package uses. */
export interface FastifyReplyLike {
  readonly raw: NodeResponse;
  readonly sent: boolean;
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
  // Not earlier: Fastify must still be able to answer an error that is thrown before the stream is open.
  reply.hijack();
  return source;
}

/**
 * Answers a request with a stream of a hub's channels, as `hub.response()` does. The handler returns or awaits the promise.
 *
 * @returns The source, or `null` if the request got another response, such as 204 or 403.
 * @throws {SourcecastTypeError} `ERR_SSE_CHANNEL` for an invalid channel name, `ERR_SSE_OPTION` for an invalid option;
 * nothing has been sent then.
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
  // Fastify buffers headers until it sends a reply, which it does not do for a hijacked one.
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  return connection;
}
