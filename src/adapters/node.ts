// sourcecast/node: event sources and subscriptions of a hub on the request and response of `node:http` and `node:http2`.
import { aBoolean, checkOptions, type OptionChecks } from "../base/options.ts";
import type { Duration } from "../base/units.ts";
import type { Hub } from "../hub/hub.ts";
import { subscribeChecks } from "../hub/option-checks.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import { type NodeRequest, onNodeExchange } from "../sinks/node-request.ts";
import type { NodeResponse } from "../sinks/node-response.ts";
import { type ContractOptions, type SourceOptions, sourceChecks } from "../source/options.ts";
import { EventSource } from "../source/source.ts";
import type { EventMap } from "../wire/event-types.ts";

export type { NodeRequest, NodeResponse };

/** The options of {@link openEventSource}. */
export interface NodeSourceOptions extends SourceOptions {
  /**
   * Writes frames to the socket directly instead of through `response.write()`, which saves most of the time of a
   * delivery. Used only where the bytes are the same: not through middleware that replaces a method of the response, on
   * HTTP/1.0, HTTP/2 or TLS, or while earlier bytes wait. `socket.bytesWritten` does not count these bytes. @default true
   */
  fastWrite?: boolean;
}

/**
 * Opens an event source on Node's request and response, for `node:http`, `node:http2`, Express, Connect, Nest and Koa
 * (`ctx.req` and `ctx.res`, with `ctx.respond = false`). The headers and the first byte leave immediately.
 *
 * @param options Options of the source, or its keep-alive alone.
 * @throws {SourcecastTypeError} `ERR_SSE_ARGUMENT` for a web request, `ERR_SSE_RESPONSE_USED` for a response that was sent
 * already, `ERR_SSE_OPTION` for an invalid option; nothing has been sent then.
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
  if (typeof options !== "object" || options === null) {
    return onNodeExchange("openEventSource", req, res, true, (exchange) => new EventSource<E>(exchange, options));
  }
  checkOptions(options, nodeSourceChecks, "openEventSource()");
  const { fastWrite = true, ...own } = options;
  return onNodeExchange(
    "openEventSource",
    req,
    res,
    fastWrite,
    (exchange) => new EventSource<E>(exchange, own as never),
  );
}

/**
 * Answers a request with a stream of a hub's channels, as `hub.response()` does for web requests.
 *
 * @returns The source, or `null` if the request got another response, such as 204, 403, or 400 for an invalid value.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a mistake in the options; nothing has been sent then.
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
export function respond<E extends EventMap>(
  hub: Hub<E>,
  req: NodeRequest,
  res: NodeResponse,
  options: SubscribeOptions & Pick<NodeSourceOptions, "fastWrite">,
): Promise<EventSource | null> {
  try {
    checkOptions(options, nodeSubscribeChecks, "respond()");
    const { fastWrite = true } = options ?? {};
    return onNodeExchange("respond", req, res, fastWrite, (exchange) => hub.open(exchange, subscribeOptions(options)));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The options without those of Node: the same object where it has none of them, since it is kept for each connection. */
function subscribeOptions(options: Parameters<typeof respond>[3]): SubscribeOptions {
  if (options === undefined || !("fastWrite" in options)) return options;
  const { fastWrite: _, ...own } = options;
  return own;
}

const nodeSourceChecks: OptionChecks<NodeSourceOptions & ContractOptions> = { ...sourceChecks, fastWrite: aBoolean };
const nodeSubscribeChecks: OptionChecks<SubscribeOptions & Pick<NodeSourceOptions, "fastWrite">> = {
  ...subscribeChecks,
  fastWrite: aBoolean,
};
