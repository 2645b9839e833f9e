// Sends a request, and tells a failure that may pass from one that every attempt would repeat.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import type { PreparedRequest } from "./request.ts";

/**
 * The reasons of runtimes for a request that they never send. Most are those of Node and Deno: browsers have one text for
 * nearly every failure, and send what these refuse, such as control characters in a header.
 */
const refusals =
  /^invalid .+ header$|header not supp|parse header|bad port|port .+ blocked|scheme|not implemented|url.+ credentials|body.+locked|duplex/i;

/**
 * Sends a request.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` where the runtime refuses to send it, and for something other than a response.
 */
export async function send(request: PreparedRequest, fetch: typeof globalThis.fetch): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(request.url, request.init);
  } catch (cause) {
    throw refusalOf(cause, request) ?? cause;
  }
  if (typeof response?.headers?.get !== "function") throw fetchError("without headers");
  return response;
}

/**
 * Takes the body of a response for reading.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` if the option `fetch` returned a response without a body, or one that it has
 * returned before.
 */
export function readerOf({ body }: Response): ReadableStreamDefaultReader<Uint8Array> {
  if (!body?.getReader || body.locked) throw fetchError("without an unread ReadableStream");
  return body.getReader();
}

/** The error of a request that no attempt can send; `undefined` for a failure that may pass. */
function refusalOf(cause: unknown, { init }: PreparedRequest): SourcecastTypeError | undefined {
  const { message, cause: inner } = (cause ?? {}) as { message?: string; cause?: Error };
  const reason = inner?.message ?? message ?? "";
  if (!refusals.test(reason)) return undefined;
  const position = (init.headers as Headers).get("last-event-id") ?? "";
  const remedy = /[^\t\x20-\x7e\x80-\xff]/.test(position)
    ? `the position is ${quote(position)}: set lastEventIdIn to "query"`
    : "correct url, method, headers or body";
  return rejection(`The request cannot be sent: ${reason}; ${remedy}`, cause);
}

function fetchError(found: string): SourcecastTypeError {
  return rejection(`The option fetch gave a response ${found}; return a new Response, as fetch() does`);
}

function rejection(message: string, cause?: unknown): SourcecastTypeError {
  return new SourcecastTypeError("ERR_SSE_OPTION", message, { cause });
}
