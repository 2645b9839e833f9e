import { unrefTimeout } from "../clock.ts";
import { Connection } from "../connection.ts";
import { Frame } from "../frame.ts";
import { type Hub, openSubscription } from "../hub/hub.ts";
import type { SubscribeOptions } from "../hub/options.ts";
import { type ContractOptions, resolveOptions, type SourceOptions } from "../options.ts";
import { streamHeaders } from "../refusal.ts";
import type { RequestLike } from "../request.ts";
import type { SinkOwner } from "../sinks/sink.ts";
import { WebSink } from "../sinks/web.ts";
import { EventSource } from "../source.ts";
import type { Events } from "../typing.ts";

/** The part of Oak's context that is used here. */
export interface OakContext {
  readonly app: OakApplication;
  readonly request: OakRequest;
  readonly response: {
    readonly headers: { forEach(callback: (value: string, name: string) => void): void };
    // biome-ignore lint/suspicious/noExplicitAny: Oak overloads it
    with(body: any, init?: any): void;
  };
  respond: boolean;
}

export interface OakApplication {
  addEventListener(type: "close", listener: () => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: Oak has it of EventTarget, which takes any listener
  removeEventListener(type: "close", listener: any): void;
}

export interface OakRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: { get(name: string): string | null };
  /** The web request; there is none on Node. */
  readonly source?: RequestLike | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: the Response class is the runtime's, or of a package of Oak's
  readonly originalRequest: { respond(response: any): void | Promise<void>; error?(reason?: unknown): void };
}

/** The options of {@link sendEvents}. */
export interface OakSourceOptions extends Omit<SourceOptions, "keepAlive"> {
  /** As on any source; `true` for its default. */
  keepAlive?: SourceOptions["keepAlive"] | true;
}

/**
 * Answers with a stream of events, at once: what Oak documents as `ctx.sendEvents()`. Headers of `ctx.response` are sent,
 * those of the options over them. Called again it gives the same source.
 *
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
export function sendEvents<E extends Events = false>(
  ctx: OakContext,
  { keepAlive, ...options }: OakSourceOptions & ContractOptions<E> = {},
): EventSource<E> {
  const before = sources.get(ctx);
  if (before !== undefined) return before as unknown as EventSource<E>;
  const request = requestOf(ctx);
  const resolved = resolveOptions<E>(
    keepAlive === undefined || keepAlive === true ? options : { ...options, keepAlive },
  );
  const sink = sinkFor(ctx, request);
  const source = new EventSource<E>(new Connection(request, sink, resolved));
  sources.set(ctx, source as unknown as EventSource);
  answer(
    ctx,
    sink.response(streamHeaders(request, resolved, ctx.response.headers), {}),
    source as unknown as EventSource,
  );
  return source;
}

/**
 * Answers with a stream of a hub's channels, as `hub.response()` does.
 *
 * @returns The source, or `null` where the request was answered with something else.
 */
export async function respond<E extends Events>(
  hub: Hub<E>,
  ctx: OakContext,
  options: SubscribeOptions,
): Promise<EventSource | null> {
  const request = requestOf(ctx);
  const sink = sinkFor(ctx, request);
  const source = await openSubscription(hub as Hub<never>, new Connection(request, sink), options);
  const { headers, cors } = options;
  const resolved = resolveOptions({ ...(headers && { headers }), ...(cors && { cors }) });
  answer(ctx, sink.response(streamHeaders(request, resolved, ctx.response.headers), {}), source);
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

/** How often it is looked whether a client of Node is still there, in milliseconds. */
const pulse = 1_000;
/** How long a client that does not read may keep the end of its stream; then its connection is destroyed. */
const linger = 10_000;

function requestOf({ request }: OakContext): RequestLike {
  const { source, url, method, headers } = request;
  return source ?? { url: url.href, method, headers };
}

function sinkFor(ctx: OakContext, { signal }: RequestLike): WebSink {
  return ctx.request.source === undefined ? new BeatingSink(null) : new WebSink(signal);
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

/** Oak writes the body chunk by chunk, waits for each, and rejects when one cannot be written any more. */
function sendOnNode({ originalRequest }: OakRequest, response: Response, source: EventSource | null): void {
  const { status, headers, body } = response;
  const over = Promise.resolve(originalRequest.respond({ status, statusText: "", headers, body })).catch(() =>
    source?.close("disconnected"),
  );
  source?.addEventListener("close", () => {
    const deadline = unrefTimeout(() => originalRequest.error?.(), linger);
    over.then(() => clearTimeout(deadline));
  });
}

/**
 * A body with empty chunks. They put no byte on the wire, but writing one fails when the client has left, which Oak on Node
 * does not notice otherwise; then it cancels the body.
 */
class BeatingSink extends WebSink {
  #timer: ReturnType<typeof setTimeout> | undefined;

  override start(owner: SinkOwner, opening: Frame): void {
    super.start(owner, opening);
    this.#beat();
  }

  override end(): Promise<void> {
    clearTimeout(this.#timer);
    return super.end();
  }

  #beat(): void {
    this.#timer = unrefTimeout(() => {
      if (!this.full) this.send(nothing);
      this.#beat();
    }, pulse);
  }
}

const nothing = Frame.of("");
