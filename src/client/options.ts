// The options of subscribe(), checked and with their defaults.
import { quote, SourcecastTypeError } from "../base/errors.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import type { AnyContract } from "../wire/contract.ts";
import type { ConnectionOptions } from "./connection.ts";
import type { StreamError } from "./errors.ts";
import type { TextEvent } from "./events.ts";
import type { BodyLike, CredentialsMode, HeadersLike, PerAttempt } from "./request.ts";

/** The options of {@link subscribe}. */
export interface SubscribeOptions<C extends AnyContract | undefined = undefined> {
  /** The contract that the server dispatches under: data is decoded, validated and typed by it. @default none, data is text */
  events?: C;
  /** Channels that the request names, each as a query parameter `channel`. @default none, the address decides */
  channels?: readonly string[];
  /** The position to begin after: a cursor that was stored. @default from now on */
  after?: string;
  /** Headers of every attempt, or an (async) function that is called for each. @default none */
  headers?: PerAttempt<HeadersLike>;
  /** The HTTP method. @default "GET", or "POST" with a body */
  method?: string;
  /** Sent with every attempt; a plain object or array as JSON. Or an (async) function that is called for each. @default none */
  body?: PerAttempt<BodyLike | null>;
  /** As in `fetch`. @default "same-origin" */
  credentials?: CredentialsMode;
  /** A function to use instead of the runtime's `fetch`. @default globalThis.fetch */
  fetch?: typeof fetch;
  /** Closes the stream when it is aborted. @default none */
  signal?: AbortSignal;
  /**
   * Backoff: the random delay before an attempt is at most `initial`, doubled with each attempt up to `max`, on top of the
   * server's own time. `false`: no reconnect. @default { initial: "1s", max: "30s" }
   */
  retry?: { initial?: Duration; max?: Duration } | false;
  /**
   * `connect`: how long a connection may take to open. `idle`: how long an open stream may be silent; where the server
   * announced its keep-alive, 2.5 times that counts instead. @default { connect: "30s", idle: "60s" }
   */
  timeout?: { connect?: Duration; idle?: Duration };
  /**
   * Decides whether an error is retried; `undefined` leaves the decision to the client. `attempt` counts the attempts since
   * events last arrived, from 1 on. @default retries unless the server rejected the request for good
   */
  shouldRetry?: (error: StreamError, attempt: number) => boolean | undefined;
  /** Where the position goes: `"query"` where no preflight for the header `Last-Event-ID` is answered. @default "header" */
  lastEventIdIn?: "header" | "query";
  /** Largest event, in bytes. A larger one ends the stream with an error. @default 16 MB */
  maxEventSize?: number;
  /** False trusts the server: data is decoded under the contract and not validated. @default true */
  validate?: boolean;
  /** Called with an event that does not fit the contract. @default reported as an error of the program */
  onInvalid?: (error: unknown, event: TextEvent) => void;
}

/** {@link SubscribeOptions}, checked. */
export interface ResolvedSubscribeOptions extends ConnectionOptions {
  readonly events: AnyContract | undefined;
  readonly after: string;
  readonly signal: AbortSignal | undefined;
  readonly validate: boolean;
  readonly onInvalid: ((error: unknown, event: TextEvent) => void) | undefined;
}

const names = [
  "events",
  "channels",
  "after",
  "headers",
  "method",
  "body",
  "credentials",
  "fetch",
  "signal",
  "retry",
  "timeout",
  "shouldRetry",
  "lastEventIdIn",
  "maxEventSize",
  "validate",
  "onInvalid",
] as const satisfies readonly (keyof SubscribeOptions)[];

/** @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an option that is unknown, or has a value that is not allowed. */
export function resolveSubscribeOptions(
  url: PerAttempt<string | URL>,
  options: SubscribeOptions<AnyContract | undefined>,
): ResolvedSubscribeOptions {
  if (typeof options !== "object" || options === null) throw optionError("options", options, "an object");
  for (const name of Object.keys(options)) {
    if (!names.includes(name as (typeof names)[number])) {
      throw new SourcecastTypeError(
        "ERR_SSE_OPTION",
        `The option ${name} is unknown; subscribe() takes ${names.join(", ")}`,
      );
    }
  }
  const isAddress = typeof url === "string" || typeof url === "function" || url instanceof URL;
  if (!isAddress || url === "")
    throw optionError("url", url, "a non-empty string, a URL, or a function that gives one");
  const { channels = [], after = "", body, retry = {}, timeout = {}, lastEventIdIn = "header", maxEventSize } = options;
  const { fetch = globalThis.fetch, method = body === undefined ? "GET" : "POST" } = options;
  if (!Array.isArray(channels) || channels.some((name) => typeof name !== "string" || name === "")) {
    throw optionError("channels", channels, "a list of channel names");
  }
  if (typeof after !== "string") throw optionError("after", after, "a cursor: the text of stream.cursor or of an id");
  if (typeof fetch !== "function") throw optionError("fetch", fetch, "a function like fetch");
  if (typeof method !== "string" || !/^[A-Za-z]+$/.test(method))
    throw optionError("method", method, "a method of HTTP");
  if (body !== undefined && /^(GET|HEAD)$/i.test(method))
    throw optionError("method", method, "a method that has a body");
  if (lastEventIdIn !== "header" && lastEventIdIn !== "query") {
    throw optionError("lastEventIdIn", lastEventIdIn, '"header" or "query"');
  }
  if (retry !== false && (typeof retry !== "object" || retry === null)) {
    throw optionError("retry", retry, "{ initial, max }, or false");
  }
  if (typeof timeout !== "object" || timeout === null) throw optionError("timeout", timeout, "{ connect, idle }");
  for (const name of ["shouldRetry", "onInvalid"] as const) {
    if (options[name] !== undefined && typeof options[name] !== "function")
      throw optionError(name, options[name], "a function");
  }
  if (options.events !== undefined && typeof options.events?.decode !== "function") {
    throw optionError("events", options.events, "a contract from defineEvents() of sourcecast/contract");
  }
  if (options.signal !== undefined && typeof options.signal?.addEventListener !== "function") {
    throw optionError("signal", options.signal, "an AbortSignal");
  }
  const { initial = "1s", max = "30s" } = retry === false ? {} : retry;
  return {
    url,
    method: method.toUpperCase(),
    headers: options.headers,
    body,
    credentials: options.credentials,
    channels,
    lastEventIdIn,
    // A method of another object would lose its `this`.
    fetch: (...args) => fetch(...args),
    shouldRetry: options.shouldRetry,
    maxEventSize: positive(maxEventSize ?? 16 * 1024 ** 2, "maxEventSize"),
    enabled: retry !== false,
    initial: positive(milliseconds(initial, "retry.initial"), "retry.initial"),
    max: positive(milliseconds(max, "retry.max"), "retry.max"),
    connectTimeout: positive(milliseconds(timeout.connect ?? "30s", "timeout.connect"), "timeout.connect"),
    idleTimeout: positive(milliseconds(timeout.idle ?? "60s", "timeout.idle"), "timeout.idle"),
    defaultRetry: 0,
    events: options.events,
    after,
    signal: options.signal,
    validate: options.validate ?? true,
    onInvalid: options.onInvalid,
  };
}

function positive(value: number, option: string): number {
  if (typeof value === "number" && value > 0) return value;
  throw optionError(option, value, "more than zero");
}

function optionError(option: string, value: unknown, allowed: string): SourcecastTypeError {
  return new SourcecastTypeError("ERR_SSE_OPTION", `The option ${option} is ${quote(value)}; it takes ${allowed}`);
}
