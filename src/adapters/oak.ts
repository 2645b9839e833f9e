// sourcecast/oak: Oak's `ctx.sendEvents()` and subscriptions of a hub, on Node, Bun and Deno.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { checkOptions, type OptionChecks } from "../base/options.ts";
import type { RequestLike } from "../http/request.ts";
import type { Hub } from "../hub/hub.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import { WebSink } from "../sinks/web.ts";
import { type ContractOptions, type SourceOptions, sourceChecks } from "../source/options.ts";
import { EventSource } from "../source/source.ts";
import type { EventMap } from "../wire/event-types.ts";
import { closeWithApplication } from "./oak/application.ts";
import type { OakApplication, OakContext, OakRequest } from "./oak/context.ts";
import { ProbingSink, sendOnNode } from "./oak/node.ts";

export type { OakApplication, OakContext, OakRequest };

/** The options of {@link sendEvents}. */
export interface OakSourceOptions extends Omit<SourceOptions, "keepAlive"> {
  /** As on any source. `true` stands for the default. @default "30s", on Bun "8s" */
  keepAlive?: SourceOptions["keepAlive"] | true;
}

/**
 * Opens an event source on a context, as Oak documents `ctx.sendEvents()`, and sends the response immediately. The headers
 * of `ctx.response` are sent; those of the options override them. A second call returns the same source.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_ARGUMENT` for a value that is not a context of Oak, `ERR_SSE_OPTION` for an invalid
 * option.
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
  options: OakSourceOptions & ContractOptions<E> = {},
): EventSource<E> {
  checkOptions(options, oakChecks, "sendEvents()");
  const before = sources.get(ctx);
  if (before !== undefined) return before as unknown as EventSource<E>;
  const request = requestOf(ctx);
  const sink = sinkFor(ctx, request);
  const { keepAlive, ...own } = options;
  const ownKeepAlive = keepAlive === undefined || keepAlive === true ? {} : { keepAlive };
  const source = new EventSource<E>({ request, sink }, { ...own, ...ownKeepAlive } as SourceOptions &
    ContractOptions<E>);
  sources.set(ctx, source as unknown as EventSource);
  answer(ctx, sink.response(), source as unknown as EventSource);
  return source;
}

/**
 * Answers a request with a stream of a hub's channels, as `hub.response()` does.
 *
 * @returns The source, or `null` if the request got another response, such as 204, 403, or 400 for an invalid value.
 * @throws {SourcecastTypeError} `ERR_SSE_ARGUMENT` for a value that is not a context of Oak, `ERR_SSE_OPTION` for a mistake in
 * the options.
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
 * Middleware that replaces Oak's own `ctx.sendEvents()` with {@link sendEvents}. Routes may call it with or without `await`.
 *
 * @param defaults Options for every source; those of a call override them.
 */
export function withSendEvents(
  defaults: OakSourceOptions = {},
): (ctx: OakContext, next: () => Promise<unknown>) => Promise<unknown> {
  checkOptions(defaults, oakChecks, "withSendEvents()");
  return (ctx, next) => {
    Object.assign(ctx, { sendEvents: (options?: OakSourceOptions) => sendEvents(ctx, { ...defaults, ...options }) });
    return next();
  };
}

const oakChecks: OptionChecks<OakSourceOptions & ContractOptions> = {
  ...sourceChecks,
  keepAlive: (value, name) => (value === true ? undefined : sourceChecks.keepAlive(value, name)),
};

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

/** Sends the response before the handlers have returned, and closes its source when the application closes. */
function answer(ctx: OakContext, response: Response, source: EventSource | null): void {
  const { app, request } = ctx;
  if (source !== null) closeWithApplication(app, source);
  ctx.respond = false;
  if (request.source === undefined) {
    sendOnNode(request, response, source);
    return;
  }
  // `app.fetch()` returns the response of the context; `app.listen()` sends the one that the request was answered with.
  ctx.response.with(response.body, { status: response.status, headers: [...response.headers] });
  request.originalRequest.respond(response);
}
