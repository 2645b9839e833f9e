// The part of a request that the core reads, and how it is read.
import { quote, SourcecastTypeError } from "../base/errors.ts";

/** The part of a request that the core reads, in the form of the fetch standard. Every web `Request` fits. */
export interface RequestLike {
  readonly url: string;
  /** @internal The part of the URL that the client has sent, where the request has to make the URL of it. */
  readonly target?: string;
  readonly method?: string;
  readonly headers: { get(name: string): string | null };
  readonly signal?: AbortSignal | null;
}

/** @throws {SourcecastTypeError} for anything but a web request; the message names the function to use instead. */
export function assertRequest(request: unknown): asserts request is RequestLike {
  const { headers, url } = (request ?? {}) as { headers?: { get?: unknown }; url?: unknown };
  if (typeof headers?.get === "function" && typeof url === "string") return;
  throw new SourcecastTypeError("ERR_SSE_ARGUMENT", `The request is ${found(request as object, headers, url)}`);
}

function found(request: object, headers: unknown, url: unknown): string {
  if (typeof headers !== "object" || typeof url !== "string") {
    return `${quote(request)}; pass the web Request that your route was called with`;
  }
  return "raw" in request
    ? "one of Fastify; use openEventSource(request, reply) from sourcecast/fastify"
    : "one of node:http; use openEventSource(req, res) from sourcecast/node";
}

/** The methods that open a stream, and `HEAD`. `QUERY` is a `GET` with a body. */
export const streamMethods: readonly string[] = ["GET", "HEAD", "POST", "QUERY"];

/**
 * The id of the last event that the client received, or `""`. The header wins, because a client that reconnects on its own
 * keeps the query that it started with. Of several parameters the last one counts: a client appends its own to an address.
 */
export function readLastEventId(request: RequestLike): string {
  const header = request.headers.get("last-event-id");
  if (header) return decodeHeader(header);
  const target = request.target ?? request.url;
  if (!target.includes("?")) return "";
  const [address = ""] = target.split("#", 1);
  const query = address.indexOf("?");
  return query === -1 ? "" : (new URLSearchParams(address.slice(query)).getAll("lastEventId").at(-1) ?? "");
}

/**
 * Whether a value may have come from the client of a request: from its query or its body, which the application has read in
 * its own way, or from its path or a header. Otherwise it is the application's own.
 */
export function mayHaveSent({ url, method = "GET", headers }: RequestLike, value: unknown): boolean {
  const isBare = (method === "GET" || method === "HEAD") && !url.includes("?");
  // A client that leaves out what the application reads causes null or undefined, and NaN where that is made a number.
  if (!isBare || value === null || value === undefined || Number.isNaN(value)) return true;
  const lines = Symbol.iterator in headers ? [...(headers as Iterable<readonly [string, string]>)] : [];
  // A list or an object may have been JSON in a header, also in a cookie, where it is escaped.
  const isTrace = (text: string): boolean =>
    typeof value === "object" ? /[[{]|%[57]b/i.test(text) : text.includes(String(value));
  return isTrace(url) || lines.some(([, line]) => isTrace(line));
}

/**
 * True unless the client's `Accept` excludes event streams. A client that names no types accepts all, and `fetch` sends a
 * wildcard by default.
 */
export function acceptsEventStream(request: RequestLike): boolean {
  const accept = request.headers.get("accept");
  if (accept === null || accept.trim() === "") return true;
  const ranges = accept.split(",").map((range) => range.split(";").map((part) => part.trim().toLowerCase()));
  // The most specific range decides, wherever it stands (RFC 9110, section 12.5.1).
  for (const type of ["text/event-stream", "text/*", "*/*"]) {
    const range = ranges.find(([name]) => name === type);
    if (range !== undefined) return !range.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  }
  return false;
}

// Clients send the id as UTF-8; servers pass header bytes on as latin1, one character per byte.
function decodeHeader(value: string): string {
  if (/^[\x20-\x7e]*$/.test(value)) return value;
  const bytes = new Uint8Array(value.length);
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code > 0xff) return value; // The runtime has decoded it already.
    bytes[index] = code;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return value;
  }
}
