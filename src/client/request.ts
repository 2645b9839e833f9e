// The request of one attempt: address, headers and body as the application gives them now, the position, the channels.
import { optionError, SourcecastError } from "../base/errors.ts";

/** Something, or a function that gives it for each attempt. */
export type PerAttempt<T> = T | (() => T | Promise<T>);

/** The headers that `fetch` takes. */
export type HeadersLike = NonNullable<RequestInit["headers"]>;

/** The bodies that `fetch` takes; a plain object or array is sent as JSON. */
export type BodyLike = NonNullable<RequestInit["body"]> | object;

/** As `RequestInit.credentials`. */
export type CredentialsMode = "omit" | "same-origin" | "include";

/** The parts of a request that the application decides. */
export interface RequestOptions {
  readonly url: PerAttempt<string | URL>;
  readonly method: string;
  readonly headers?: PerAttempt<HeadersLike> | undefined;
  readonly body?: PerAttempt<BodyLike | null> | undefined;
  readonly credentials?: CredentialsMode | undefined;
  /**
   * Where the position goes: `header`, or `query` where a preflight would not be answered. With `fetch`, the header needs one
   * on another origin. The browser's own `EventSource` sends it without.
   */
  readonly lastEventIdIn?: "header" | "query";
}

/** The parts of a request that the stream decides: what the next attempt asks for. */
export interface Asked {
  /** The position, or `""` for a new client. */
  readonly lastEventId: string;
  /** Adds the parameters of the stream, such as its channels. */
  complete?(request: PreparedRequest): PreparedRequest;
}

/** The arguments of `fetch` for one attempt. */
export interface PreparedRequest {
  readonly url: string;
  readonly init: RequestInit;
}

/**
 * The functions of the application are called for every attempt, so that a reconnect after hours does not send a token that
 * has expired. All of them are called at the same time. `accept` and `no-store` are the standard's own request, and the
 * application may set another `accept`.
 *
 * @throws {SourcecastError} `ERR_SSE_STREAM` when a function of the application throws or rejects.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` when it gives a value that can never be sent.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#dom-eventsource
 */
export async function prepareRequest(options: RequestOptions, asked: Asked): Promise<PreparedRequest> {
  const { credentials } = options;
  const [address, given, body] = await Promise.all([
    resolve("url()", options.url),
    resolve("headers()", options.headers),
    resolve("body()", options.body),
  ]);
  const headers = readHeaders(given, "headers()");
  if (!headers.has("accept")) headers.set("accept", "text/event-stream");
  const { lastEventId } = asked;
  if (lastEventId !== "" && options.lastEventIdIn !== "query") headers.set("last-event-id", utf8Bytes(lastEventId));
  const init: RequestInit = { method: options.method, headers, cache: "no-store", redirect: "follow" };
  if (credentials !== undefined) init.credentials = credentials;
  if (body !== undefined && body !== null) init.body = encodeBody(body, headers);
  // It stays text, because `fetch` resolves a relative one, and a query that the application has signed must stay as it is.
  // A fragment is never sent, and would take in the parameters.
  const [url = ""] = String(address).split("#", 1);
  const request = { url, init };
  return asked.complete?.(request) ?? request;
}

async function resolve<T>(name: string, value: PerAttempt<T>): Promise<T> {
  if (typeof value !== "function") return value;
  try {
    return await (value as () => T | Promise<T>)();
  } catch (cause) {
    const reason = String((cause as Error)?.message ?? cause);
    throw new SourcecastError("ERR_SSE_STREAM", `The option ${name} failed: ${reason}`, { cause });
  }
}

/**
 * The method of a request: that of the option, or else POST with a body and GET without. `Request` of some runtimes takes any
 * text, so this has the rules of `fetch`.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for one that `fetch` does not send, or whose response has no body.
 * @see https://fetch.spec.whatwg.org/#methods
 */
export function methodOf(option: string | undefined, body: unknown): string {
  const method = option ?? (body === undefined ? "GET" : "POST");
  const isRefused = /^(connect|head|trace|track)$/i.test(method) || (body !== undefined && /^get$/i.test(method));
  if (!isRefused && /^[\w!#$%&'*+.^`|~-]+$/.test(method)) return method;
  throw optionError("method", option, "a method of HTTP, one with a body if there is a body to send");
}

/** Whether a header can carry it as a position. */
export function isEventId(value: unknown): boolean {
  return typeof value === "string" && !/[\0\r\n]/.test(value);
}

/** @throws {SourcecastTypeError} `ERR_SSE_OPTION` with the reason of the runtime. */
export function readHeaders(given: HeadersLike | undefined, name: string): Headers {
  try {
    return new Headers(given);
  } catch (error) {
    throw optionError(name, given, `headers, or a function that gives them: ${(error as Error).message}`);
  }
}

/** A header takes bytes, one character each; the standard sends the id as UTF-8. */
function utf8Bytes(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : String.fromCharCode(...new TextEncoder().encode(text));
}

/** Plain objects and arrays become JSON. An instance, such as a `FormData` or a `Blob`, is the business of `fetch`. */
function encodeBody(body: BodyLike, headers: Headers): NonNullable<RequestInit["body"]> {
  const isPlain = typeof body === "object" && [Object.prototype, null].includes(Object.getPrototypeOf(body));
  if (!isPlain && !Array.isArray(body)) return body as NonNullable<RequestInit["body"]>;
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  try {
    return JSON.stringify(body);
  } catch (error) {
    throw optionError("body", body, `data that JSON has a form for: ${(error as Error).message}`);
  }
}
