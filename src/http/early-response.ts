import { isStopping } from "../base/shutdown.ts";
import type { ResolvedOptions } from "../source/options.ts";
import { retryLaterFrame } from "../wire/preamble.ts";
import { drawOverloadRetry } from "../wire/retry.ts";
import { corsHeaders, preflightHeaders } from "./cors.ts";
import { eventStreamHeaders, type HeaderFields, type HeaderOverrides, mergeHeaders } from "./headers.ts";
import { acceptsEventStream, type RequestLike } from "./request.ts";

/** A whole answer in place of a stream. */
export interface EarlyResponse {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: Uint8Array | null;
  /** The reason with which the source is closed from its start. */
  readonly reason: string;
}

/** The answer to a request that gets no stream, or `null` for one that gets it. */
export function earlyResponse(request: RequestLike, options: ResolvedOptions): EarlyResponse | null {
  if (request.method === "OPTIONS" && options.cors !== undefined) {
    return {
      status: 204,
      headers: new Map(Object.entries(preflightHeaders(options.cors, request))),
      body: null,
      reason: "preflight",
    };
  }
  if (options.negotiate && !acceptsEventStream(request)) {
    const body = new TextEncoder().encode("This resource is an event stream: accept text/event-stream\n");
    return {
      status: 406,
      headers: new Map([["content-type", "text/plain; charset=utf-8"]]),
      body,
      reason: "not acceptable",
    };
  }
  if (request.method === "HEAD") {
    return { status: 200, headers: streamHeaders(request, options), body: null, reason: "head" };
  }
  if (options.closeOnSignal && isStopping()) return retryLater(request, options, "shutdown");
  return null;
}

/**
 * Come again later. The only answer that keeps a native client trying is a stream that ends, with a time to wait; other
 * clients may be told by the status.
 */
export function retryLater(request: RequestLike, options: ResolvedOptions, reason: string): EarlyResponse {
  if (options.rejectOverload) {
    const retryAfter: HeaderFields = new Map([["retry-after", String(Math.ceil(drawOverloadRetry() / 1_000))]]);
    const cors = options.cors === undefined ? undefined : corsHeaders(options.cors, request);
    return { status: 503, headers: mergeHeaders(cors, retryAfter), body: null, reason };
  }
  return { status: 200, headers: streamHeaders(request, options), body: retryLaterFrame().bytes, reason };
}

/** Do not come again: what makes a native client stop for good. */
export function giveUp(
  request: RequestLike,
  options: ResolvedOptions,
  status: 204 | 403,
  reason: string,
): EarlyResponse {
  const cors = options.cors === undefined ? {} : corsHeaders(options.cors, request);
  return { status, headers: new Map(Object.entries(cors)), body: null, reason };
}

/** The header of the stream itself. */
export function streamHeaders(request: RequestLike, options: ResolvedOptions, preset?: HeaderOverrides): HeaderFields {
  const cors = options.cors === undefined ? undefined : corsHeaders(options.cors, request);
  return eventStreamHeaders(preset, cors, options.headers);
}
