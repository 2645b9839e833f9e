import { quote, SourcecastTypeError } from "../base/errors.ts";
import type { RequestLike } from "../http/request.ts";
import type { Hub } from "../hub/hub.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import { WebSink } from "../sinks/web.ts";
import type { ContractOptions, SourceOptions } from "../source/options.ts";
import { EventSource } from "../source/source.ts";
import type { EventMap } from "../wire/event-types.ts";
import type { OakApplication, OakContext, OakRequest } from "./oak/context.ts";
import { ProbingSink, sendOnNode } from "./oak/node.ts";

export type { OakApplication, OakContext, OakRequest };

/** The options of {@link sendEvents}. */
export interface OakSourceOptions extends Omit<SourceOptions, "keepAlive"> {
  /** As on any source; `true` for its default. */
  keepAlive?: SourceOptions["keepAlive"] | true;
}

/**
 * Answers with a stream of events, at once: what Oak documents as `ctx.sendEvents()`. Headers of `ctx.response` are sent,
 * those of the options over them. Called again it gives the same source.
 *
 * @throws {SourcecastTypeError} for anything that is no context of Oak, and for options with values that are not allowed.
 * @example
 * ```ts excerpt examples/oak/server.ts
 * import { sendEvents, withSendEvents } from "sourcecast/oak";
 *
 * router.get("/sse", (ctx) => {
 *   const headers = new Headers([["X-Custom-Header", "custom value"]]);
 *   const target = sendEvents(ctx, { headers });
 *   target.dispatchMessage({ hello: "world" });
 * });
 * ```
 */
export function sendEvents<E extends EventMap = false>(
  ctx: OakContext,
  { keepAlive, ...options }: OakSourceOptions & ContractOptions<E> = {},
): EventSource<E> {
  const before = sources.get(ctx);
  if (before !== undefined) return before as unknown as EventSource<E>;
  const request = requestOf(ctx);
  const sink = sinkFor(ctx, request);
  const ownKeepAlive = keepAlive === undefined || keepAlive === true ? {} : { keepAlive };
  const source = new EventSource<E>({ request, sink }, { ...options, ...ownKeepAlive });
  sources.set(ctx, source as unknown as EventSource);
  answer(ctx, sink.response(), source as unknown as EventSource);
  return source;
}

/**
 * Answers with a stream of a hub's channels, as `hub.response()` does.
 *
 * @returns The source, or `null` where the request was answered with something else.
 */
export async function respond<E extends EventMap>(
  hub: Hub<E>,
  ctx: OakContext,
  options: SubscribeOptions,
): Promise<EventSource | null> {
  const request = requestOf(ctx);
  const sink = sinkFor(ctx, request);
  const source = await hub.open({ request, sink }, options);
  answer(ctx, sink.response(), source);
  return source;
}

/**
 * Middleware that puts {@link sendEvents} in the place of Oak's own `ctx.sendEvents()`. With `await` or without, both fine.
 *
 * @param defaults Options for every source, under those of the call.
 */
export function withSendEvents(
  defaults: OakSourceOptions = {},
): (ctx: OakContext, next: () => Promise<unknown>) => Promise<unknown> {
  return (ctx, next) => {
    Object.assign(ctx, { sendEvents: (options?: OakSourceOptions) => sendEvents(ctx, { ...defaults, ...options }) });
    return next();
  };
}

const sources = new WeakMap<OakContext, EventSource>();

function requestOf(ctx: OakContext): RequestLike {
  if (ctx?.request?.originalRequest === undefined) {
    throw new SourcecastTypeError(
      "ERR_SSE_ARGUMENT",
      `The context is ${quote(ctx)}; pass the one that Oak calls a route with`,
    );
  }
  const { source, url, method, headers } = ctx.request;
  return source ?? { url: url.href, method, headers };
}

function sinkFor(ctx: OakContext, { signal }: RequestLike): WebSink {
  const { headers } = ctx.response;
  return ctx.request.source === undefined ? new ProbingSink(null, headers) : new WebSink(signal, headers);
}

/** Sends the response now and not when the handlers are done, and ends its source with the application. */
function answer(ctx: OakContext, response: Response, source: EventSource | null): void {
  const { app, request } = ctx;
  if (source !== null && source.closeReason === null) {
    const close = (): void => void source.close("shutdown");
    app.addEventListener("close", close);
    source.addEventListener("close", () => app.removeEventListener("close", close));
  }
  ctx.respond = false;
  if (request.source === undefined) {
    sendOnNode(request, response, source);
    return;
  }
  // `app.fetch()` takes the response from the context, `app.listen()` what the request was answered with.
  ctx.response.with(response.body, { status: response.status, headers: [...response.headers] });
  request.originalRequest.respond(response);
}
