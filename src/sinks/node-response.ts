// Node's response, with the middleware that may have wrapped it: writing to it, and how far its bytes have got.
import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { HeaderFields, HeaderOverrides } from "../http/headers.ts";

/** The response of `node:http`, of `node:http2`, or of a framework that extends one of them. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

const { writeHead: ownWriteHead } = ServerResponse.prototype;

/** Errors on HTTP/2, where the connection is not the response's business (RFC 9113, section 8.2.2). */
const http1OnlyHeaders = ["connection", "keep-alive", "transfer-encoding"];

/** Sends a header, or has it ready for the first write. */
export function writeHead(response: NodeResponse, status: number, headers: HeaderFields): void {
  const isHttp2 = !(response instanceof ServerResponse);
  if (!isHttp2 && response.getHeaderNames().length === 0) {
    // With nothing to merge, the response does not keep the header, which would take half a kilobyte per connection.
    response.writeHead(status, response.writeHead === ownWriteHead ? flatHeader(headers) : plainHeader(headers));
    return;
  }
  // Middleware that expects a body of known length may have set it.
  if (response.hasHeader("content-length")) response.removeHeader("content-length");
  for (const [name, value] of headers) {
    if (!(isHttp2 && http1OnlyHeaders.includes(name))) response.setHeader(name, value as string | string[]);
  }
  (response as ServerResponse).writeHead(status);
}

/**
 * Node keeps the text of a header as long as its response, as the tree of the strings that it was put together from: 28 nodes
 * of 32 B for that of a stream. Reading a character makes V8 replace the tree by one string. On HTTP/2 the property is a
 * boolean.
 */
export function flattenHeader(response: NodeResponse): void {
  const { _header: text } = response as { readonly _header?: unknown };
  if (typeof text === "string") text.charCodeAt(0);
}

/** The last header as names and values by turns: most streams of a server have the same one. */
let last: { readonly headers: HeaderFields; readonly flat: OutgoingHttpHeader[] } | null = null;

function flatHeader(headers: HeaderFields): OutgoingHttpHeader[] {
  if (last?.headers !== headers) last = { headers, flat: [...headers].flat() as OutgoingHttpHeader[] };
  return last.flat;
}

/**
 * An object of its own for each response. Middleware that wraps writeHead() may change it, and does not always know the flat
 * array: on-headers before 1.1 sends the first two letters of each name as a header.
 */
function plainHeader(headers: HeaderFields): OutgoingHttpHeaders {
  return Object.fromEntries(headers) as OutgoingHttpHeaders;
}

/** The headers that the application or its middleware set on the response before. */
export function presetHeaders(response: NodeResponse): HeaderOverrides | undefined {
  if (response.getHeaderNames().length === 0) return undefined;
  const preset = Object.entries(response.getHeaders()).filter(
    ([name, value]) => name !== "content-type" || String(value).startsWith("text/event-stream"),
  );
  return Object.fromEntries(preset) as Record<string, string | number | string[]>;
}

/**
 * Writes bytes and returns whether there is room for more. `compression` (1.x) adds a `flush` of its own to the response
 * and buffers until it is called. Other middleware forgets to return what `write()` returned.
 */
export function write(response: NodeResponse, bytes: Uint8Array): boolean {
  const flowing = (response.write as (chunk: Uint8Array) => boolean | undefined).call(response, bytes);
  if (Object.hasOwn(response, "flush")) (response as unknown as { flush(): void }).flush();
  return flowing ?? !response.writableNeedDrain;
}

/**
 * Bytes that the system has not taken yet, over and above those that the response counts: `writableLength` counts a chunk as
 * waiting until all of it is sent, so a reader that takes a megabyte slowly would seem to have stopped. Node's own inactivity
 * timeout looks at the handle too (lib/net.js, `Socket.prototype._onTimeout`). A stream of HTTP/2 has no such number.
 */
export function unsentBytes(response: NodeResponse): number {
  const socket = response instanceof ServerResponse ? response.socket : null;
  return (socket as { _handle?: { writeQueueSize?: number } | null } | null)?._handle?.writeQueueSize ?? 0;
}

/** Fewer bytes than this on an HTTP/2 connection do not show that the client reads: the connection answers pings, too. */
const leastProgressBytes = 1_024;

/** A number that changes while the client of an HTTP/2 connection reads any of its streams; 0 on HTTP/1.1. */
export function connectionProgress(response: NodeResponse): number {
  if (response instanceof ServerResponse) return 0;
  return Math.floor((response.stream?.session?.socket?.bytesWritten ?? 0) / leastProgressBytes);
}
