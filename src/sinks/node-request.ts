// Node's request and response as an exchange.
import { type IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { retryLater } from "../http/early-response.ts";
import type { RequestLike } from "../http/request.ts";
import { claimResponse, isClaimed, releaseResponse } from "./claim.ts";
import type { Exchange } from "./exchange.ts";
import { NodeSink } from "./node.ts";
import { NodeHeaders } from "./node-headers.ts";
import type { NodeResponse } from "./node-response.ts";

/** The request of `node:http`, of `node:http2`, or of a framework that extends one of them. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;

/**
 * Opens something on a request of Node and its response. The response is claimed while `open` runs, and for good unless it
 * throws or rejects: then the application can still answer. `caller` names the function in the errors.
 *
 * @throws {SourcecastTypeError} for a web request, and for a response that has been sent already.
 */
export function onNodeExchange<T>(
  caller: string,
  req: NodeRequest,
  res: NodeResponse,
  fastWrite: boolean,
  open: (exchange: Exchange) => T,
): T {
  assertNodeExchange(caller, req, res);
  const sink = new NodeSink(res, fastWrite);
  claimResponse(res);
  try {
    const opened = open({ request: new NodeRequestView(req), sink });
    return opened instanceof Promise ? (releaseOnFailure(opened, sink, res) as T) : opened;
  } catch (error) {
    return release(error, sink, res);
  }
}

function releaseOnFailure<T>(opened: Promise<T>, sink: NodeSink, res: NodeResponse): Promise<T> {
  return opened.catch((error) => release(error, sink, res));
}

function release(error: unknown, sink: NodeSink, res: NodeResponse): never {
  sink.release();
  releaseResponse(res);
  throw error;
}

/** Responds that there is no room at present, so that the client retries later. For a request that has no source yet. */
export function respondRetryLater(req: NodeRequest, res: NodeResponse): void {
  new NodeSink(res, false).refuse(retryLater(new NodeRequestView(req), {}, "connections"));
}

/**
 * The mistakes that have a remedy of their own come before the general ones, so that the message names the function to use.
 * That the response is unused is checked last: only a real response can tell.
 *
 * @throws {SourcecastTypeError} for anything that no stream can be opened on.
 */
export function assertNodeExchange(caller: string, req: NodeRequest, res: NodeResponse): void {
  // HTTP/2 has its stream on the response. Imitations have neither the class nor a stream.
  if (typeof res?.writeHead === "function" && !(res instanceof ServerResponse || has(res, "stream"))) {
    throw new SourcecastTypeError(
      "ERR_SSE_ARGUMENT",
      `${caller}() got an imitation of a response (${quote(res)}), which cannot stream; test with a real server and fetch()`,
    );
  }
  if (isWeb(req)) {
    throw new SourcecastTypeError(
      "ERR_SSE_ARGUMENT",
      `${caller}() was given a web Request; use new EventSource(request) and return its response()`,
    );
  }
  if (typeof res?.writeHead !== "function") {
    throw new SourcecastTypeError(
      "ERR_SSE_ARGUMENT",
      `${caller}() takes the response of node:http, but got ${quote(res)}${hint(req, res)}`,
    );
  }
  if (typeof req?.headers !== "object") {
    throw new SourcecastTypeError(
      "ERR_SSE_ARGUMENT",
      `${caller}() takes the request of node:http before its response, but got ${quote(req)}`,
    );
  }
  if (res.headersSent || res.writableEnded || isClaimed(res)) {
    throw new SourcecastTypeError(
      "ERR_SSE_RESPONSE_USED",
      "The response has been sent already; open the event source before anything writes to it, and return nothing after it",
    );
  }
}

/** The way that fits a framework whose request or response was passed. */
function hint(req: unknown, res: unknown): string {
  if (isWeb(res)) return "; a web Response is for routes that return one";
  if (has(res, "raw")) return "; for a reply of Fastify use sourcecast/fastify";
  if (has(req, "req") && has(req, "res")) return "; from a context of Koa pass ctx.req and ctx.res";
  return "";
}

/** A request or response of the web has a `Headers`, one of Node a plain object. */
function isWeb(exchanged: unknown): boolean {
  return typeof (exchanged as { headers?: { get?: unknown } } | null)?.headers?.get === "function";
}

function has(value: unknown, name: string): boolean {
  return typeof value === "object" && value !== null && name in value;
}

/**
 * A request in the form of the fetch standard, read on demand, since the core asks for a few of many headers. It has no
 * `signal`, because the sink sees the disconnect.
 */
class NodeRequestView implements RequestLike {
  readonly #req: NodeRequest;
  #headers: NodeHeaders | undefined;

  constructor(req: NodeRequest) {
    this.#req = req;
  }

  /** Express and Connect shorten `url` to the part after the mount point. */
  get target(): string {
    const req = this.#req;
    return (req as { originalUrl?: string }).originalUrl ?? req.url ?? "/";
  }

  get url(): string {
    const req = this.#req;
    const path = this.target;
    const scheme = (req.socket as { encrypted?: boolean } | null)?.encrypted ? "https" : "http";
    const authority = req.headers[":authority"] ?? req.headers.host ?? "localhost";
    return path.startsWith("/") ? `${scheme}://${authority}${path}` : path;
  }

  get method(): string {
    return this.#req.method ?? "GET";
  }

  get headers(): NodeHeaders {
    this.#headers ??= new NodeHeaders(this.#req);
    return this.#headers;
  }
}
