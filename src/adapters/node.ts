import type { Duration } from "../base/units.ts";
import type { Hub } from "../hub/hub.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import type { NodeResponse } from "../sinks/node.ts";
import { type NodeRequest, nodeExchange } from "../sinks/node-request.ts";
import type { ContractOptions, SourceOptions } from "../source/options.ts";
import { EventSource } from "../source/source.ts";
import type { EventMap } from "../wire/event-types.ts";

export type { NodeRequest, NodeResponse };

/** The options of {@link openEventSource}. */
export interface NodeSourceOptions extends SourceOptions {
  /**
   * Lets frames pass by `response.write()`, to the socket and from there to the system, wherever that makes no difference
   * to the bytes: not through middleware, on HTTP/1.0, HTTP/2 or TLS, nor while bytes wait. It saves most of the time that a
   * delivery takes here. What passes by so is not in `socket.bytesWritten`. @default true
   */
  fastWrite?: boolean;
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
export function openEventSource<E extends EventMap = false>(
  req: NodeRequest,
  res: NodeResponse,
  options?: (NodeSourceOptions & ContractOptions<E>) | Duration,
): EventSource<E> {
  const direct = typeof options !== "object" || options.fastWrite !== false;
  return new EventSource<E>(nodeExchange("openEventSource", req, res, direct), options);
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
export async function respond<E extends EventMap>(
  hub: Hub<E>,
  req: NodeRequest,
  res: NodeResponse,
  options: SubscribeOptions & { direct?: boolean },
): Promise<EventSource | null> {
  const connection = nodeExchange("respond", req, res, options?.direct !== false);
  return hub.open(connection, options);
}

/**
 * Settings for `http2.createSecureServer({ settings: http2Settings })`: room for more streams on one connection than the
 * hundred at which browsers stop otherwise.
 */
export const http2Settings: { readonly maxConcurrentStreams: number } = { maxConcurrentStreams: 4096 };
