// The responses that a request can get in place of a stream.
import { isStopping } from "../base/shutdown.ts";
import { encodeLater, type LaterReason } from "../wire/control.ts";
import { encodeChannelLimit } from "../wire/preamble.ts";
import { drawOverloadRetry } from "../wire/retry.ts";
import { type CorsOptions, corsHeaders, preflightHeaders } from "./cors.ts";
import { eventStreamHeaders, type HeaderFields, type HeaderOverrides, mergeHeaders } from "./headers.ts";
import { acceptsEventStream, type RequestLike, streamMethods } from "./request.ts";

/** A complete response in place of a stream. */
export interface EarlyResponse {
  /** The status. */
  readonly status: number;
  /** The header fields. */
  readonly headers: HeaderFields;
  /** The whole body, `null` for none. */
  readonly body: Uint8Array | null;
  /** The `closeReason` of a source that is answered this way. */
  readonly reason: string;
}

/** The options of a stream that its response depends on. */
export interface ResponseOptions {
  readonly headers?: HeaderOverrides | undefined;
  readonly cors?: CorsOptions | undefined;
  /** Answers 406 to clients that do not accept event streams. */
  readonly negotiate?: boolean | undefined;
  /** Answers 503 under overload. */
  readonly rejectOverload?: boolean | undefined;
  /** How many channels one connection may have, announced to a client that decides how many it asks for. */
  readonly maxChannels?: number | undefined;
  /** Compresses the stream where the client accepts that. */
  readonly compress?: unknown;
  /** Rejects requests while the process is stopping. */
  readonly closeOnSignal?: boolean | undefined;
}

/**
 * The response to a request that cannot get a stream, or `null` if it may get one. `HEAD` is left to the caller, since its
 * response is that of `GET`: call {@link headResponse} if nothing else prevents a stream.
 *
 * @throws {SourcecastTypeError} for headers that cannot be sent, before anything is.
 */
export function earlyResponse(request: RequestLike, options: ResponseOptions): EarlyResponse | null {
  const { method = "GET" } = request;
  if (method === "OPTIONS") return optionsResponse(request, options.cors);
  if (!streamMethods.includes(method)) {
    const text = `This resource is an event stream: it takes ${allowedMethods}, not ${method}\n`;
    return textResponse(request, options, 405, "method not allowed", text, { allow: allowedMethods });
  }
  if (options.negotiate && !acceptsEventStream(request)) {
    const text = "This resource is an event stream: accept text/event-stream\n";
    return textResponse(request, options, 406, "not acceptable", text);
  }
  // So that headers which cannot be sent throw before anything is sent.
  if (options.headers !== undefined || options.cors !== undefined) streamHeaders(request, options);
  return options.closeOnSignal && isStopping() ? retryLater(request, options, "shutdown") : null;
}

/** The response to a `HEAD` that would get a stream if it were a `GET`; `null` for any other method. */
export function headResponse(request: RequestLike, options: ResponseOptions): EarlyResponse | null {
  if (request.method !== "HEAD") return null;
  const coding = options.compress ? varyByEncoding : undefined;
  return { status: 200, headers: streamHeaders(request, options, undefined, coding), body: null, reason: "head" };
}

/**
 * Tells the client to retry later. A native client keeps trying only if it gets a stream that ends, with a time to wait
 * in an event. Other clients may get a status instead.
 */
export function retryLater(request: RequestLike, options: ResponseOptions, reason: LaterReason): EarlyResponse {
  const retryAfter = drawOverloadRetry();
  if (options.rejectOverload) {
    const seconds: HeaderFields = new Map([["retry-after", String(Math.ceil(retryAfter / 1_000))]]);
    return { status: 503, headers: mergeHeaders(cors(request, options), seconds), body: null, reason };
  }
  const headers = streamHeaders(request, options);
  if (request.method === "HEAD") return { status: 200, headers, body: null, reason };
  const { maxChannels = Number.POSITIVE_INFINITY } = options;
  const limit = reason === "channels" && Number.isFinite(maxChannels) ? maxChannels : undefined;
  const text = encodeChannelLimit(maxChannels) + encodeLater(reason, retryAfter, limit);
  return { status: 200, headers, body: new TextEncoder().encode(text), reason };
}

/** Tells the client that nothing will follow: a native client stops for good. */
export function noContent(request: RequestLike, options: ResponseOptions, reason: string): EarlyResponse {
  return { status: 204, headers: mergeHeaders(cors(request, options)), body: null, reason };
}

/** Tells the client that it may not read the stream: a native client stops for good. */
export function forbidden(request: RequestLike, options: ResponseOptions): EarlyResponse {
  return textResponse(request, options, 403, "forbidden", "This client may not read this event stream\n");
}

/** Tells the client that its request is at fault, by default with the status 400. A native client stops for good. */
export function badRequest(
  request: RequestLike,
  options: ResponseOptions,
  { status = 400, message }: RequestProblem,
): EarlyResponse {
  // The rest of a body that was not read would be taken for the next request.
  const own = status === 400 ? {} : { connection: "close" };
  return textResponse(request, options, status, "bad request", `${message}\n`, own);
}

/** A mistake in a request that its client is told about. */
export interface RequestProblem {
  /** @default 400 */
  readonly status?: number;
  /** The mistake, in words for the client. */
  readonly message: string;
}

/** Caches must not give the response of one client to another one that accepts other encodings. */
export const varyByEncoding: HeaderOverrides = { vary: "accept-encoding" };

/** The headers of the stream itself. The option `headers` is the application's last word, so it overrides the others. */
export function streamHeaders(
  request: RequestLike,
  options: ResponseOptions,
  preset?: HeaderOverrides,
  coding?: HeaderOverrides,
): HeaderFields {
  return eventStreamHeaders(preset, cors(request, options), coding, options.headers);
}

const allowedMethods: string = [...streamMethods, "OPTIONS"].join(", ");

/** Answers `OPTIONS`, with or without permission for pages of other origins (RFC 9110, section 9.3.7). */
function optionsResponse(request: RequestLike, allowed: CorsOptions | undefined): EarlyResponse {
  const permission = allowed === undefined ? undefined : preflightHeaders(allowed, request, allowedMethods);
  const headers = mergeHeaders({ allow: allowedMethods }, permission);
  return { status: 204, headers, body: null, reason: "preflight" };
}

/** A response that says what is wrong. It has CORS headers, so that a page of another origin can read it, too. */
function textResponse(
  request: RequestLike,
  options: ResponseOptions,
  status: number,
  reason: string,
  text: string,
  own: HeaderOverrides = {},
): EarlyResponse {
  const headers = mergeHeaders(cors(request, options), own, { "content-type": "text/plain; charset=utf-8" });
  const body = request.method === "HEAD" ? null : new TextEncoder().encode(text);
  return { status, headers, body, reason };
}

function cors(request: RequestLike, options: ResponseOptions): HeaderOverrides | undefined {
  return options.cors === undefined ? undefined : corsHeaders(options.cors, request);
}
