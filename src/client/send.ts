// Sends a request, and tells a failure that may pass from one that every attempt would repeat.
import { SourcecastTypeError } from "../base/errors.ts";
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
export async function send(request: PreparedRequest, { fetch, remedyOf }: SendOptions): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(request.url, request.init);
  } catch (cause) {
    const { message, cause: inner } = (cause ?? {}) as { message?: string; cause?: Error };
    const reason = inner?.message ?? message ?? "";
    throw refusals.test(reason)
      ? rejection(`The request cannot be sent: ${reason}${remedyOf?.(request) ?? ""}`, cause)
      : cause;
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

function fetchError(found: string): SourcecastTypeError {
  return rejection(`The option fetch gave a response ${found}; return a new Response, as fetch() does`);
}

function rejection(message: string, cause?: unknown): SourcecastTypeError {
  return new SourcecastTypeError("ERR_SSE_OPTION", message, { cause });
}

/** How requests are sent. */
export interface SendOptions {
  readonly fetch: typeof fetch;
  /** The end of the error for a request that the runtime refuses to send. The listeners of the class learn no reason. */
  remedyOf?(request: PreparedRequest): string;
}
