// The options of subscribe(), checked and with their defaults.
import {
  aBoolean,
  aFunction,
  aGroup,
  allow,
  aName,
  aSignal,
  aString,
  checkOptions,
  type OptionCheck,
  type OptionChecks,
  oneOf,
  optionError,
} from "../base/options.ts";
import { type Duration, milliseconds } from "../base/units.ts";
import type { AnyContract } from "../wire/contract.ts";
import { type BackoffSettings, lose } from "./backoff.ts";
import type { ConnectionOptions } from "./connection.ts";
import type { StreamError } from "./errors.ts";
import type { TextEvent } from "./events.ts";
import { appeal, judgeFailure, remedyOf } from "./failures.ts";
import {
  type BodyLike,
  type CredentialsMode,
  type HeadersLike,
  isEventId,
  methodOf,
  type PerAttempt,
  readHeaders,
} from "./request.ts";
import { judge } from "./response.ts";

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
   * `"page"`: subscriptions to the same address with the same `method` and `credentials` use one connection for all of
   * their channels, if their `headers`, `body` and `fetch` are the same functions or values, or if they have the same
   * `identity`. `"browser"`: the tabs of a browser share in the same way. One of them has the connection. It requires
   * an `identity`. `false`: a connection of its own.
   * @default "page" in a document or a worker of a browser; false elsewhere, where one process serves many users
   */
  share?: "page" | "browser" | false;
  /**
   * With `share: "browser"`, the worker that has the connection in place of a tab: a function that gives a `SharedWorker` whose
   * script calls `serveTabs()`. Where it cannot be started, a tab has the connection. @default none
   */
  worker?: () => WorkerLike;
  /** The user that the connection belongs to: only subscriptions with the same identity share it. @default none */
  identity?: string;
  /**
   * Backoff: the random delay before an attempt is at most `initial`, doubled with each attempt up to `max`, on top of the
   * server's own time. `false`: no reconnect. @default { initial: "1s", max: "30s" }
   */
  retry?: { initial?: Duration; max?: Duration } | false;
  /**
   * `connect`: how long a connection may take to open. `idle`: how long an open stream may send nothing; if the server
   * announced its keep-alive, the limit is 2.5 times that instead. @default { connect: "30s", idle: "60s" }
   */
  timeout?: { connect?: Duration; idle?: Duration };
  /**
   * Decides whether to retry after an error; `undefined` leaves the decision to the client. `attempt` counts the
   * attempts since events last arrived, from 1 on. @default retries unless the server rejected the request for good
   */
  shouldRetry?: (error: StreamError, attempt: number) => boolean | undefined;
  /**
   * Where to send the position: `"query"` if the server does not answer a preflight for the header `Last-Event-ID`.
   * @default "header"
   */
  lastEventIdIn?: "header" | "query";
  /** Largest event, in bytes. A larger one ends the stream with an error. @default 16 MB */
  maxEventSize?: number;
  /** False trusts the server: data is decoded under the contract and not validated. @default true */
  validate?: boolean;
  /** Called with an event that does not fit the contract. @default reported as an error of the program */
  onInvalid?: (error: unknown, event: TextEvent) => void;
}

/** A `SharedWorker`. */
export interface WorkerLike {
  readonly port: { postMessage(message: unknown): void };
}

/** {@link SubscribeOptions}, checked. */
export interface ResolvedSubscribeOptions extends ConnectionOptions, BackoffSettings {
  readonly events?: AnyContract | undefined;
  readonly after: string;
  readonly signal?: AbortSignal | undefined;
  readonly channels: readonly string[];
  readonly share: "page" | "browser" | false;
  readonly worker?: (() => WorkerLike) | undefined;
  /** Subscriptions whose keys have the same parts may share a connection. */
  readonly key: readonly unknown[];
  readonly validate: boolean;
  readonly onInvalid?: ((error: unknown, event: TextEvent) => void) | undefined;
}

const positiveDuration: OptionCheck = (value, name) => void positive(milliseconds(value as Duration, name), name);

/** The checks of the options of {@link subscribe}. */
export const subscribeChecks: OptionChecks<SubscribeOptions<AnyContract>> = {
  events: allow("a contract of defineEvents()", (value) => typeof (value as AnyContract | null)?.decode === "function"),
  channels: allow(
    "a list of channel names, none of them empty",
    (value) => Array.isArray(value) && value.every((name) => typeof name === "string" && name !== ""),
  ),
  after: allow("a cursor, such as stream.cursor", isEventId),
  headers: (value, name) => {
    if (typeof value !== "function") readHeaders(value as HeadersLike, name);
  },
  method: aString,
  body: allow("a body, or a function that gives one", (value) =>
    ["string", "object", "function"].includes(typeof value),
  ),
  credentials: oneOf("omit", "same-origin", "include"),
  fetch: aFunction,
  signal: aSignal,
  share: oneOf("page", "browser", false),
  worker: aFunction,
  identity: aName,
  retry: (value, name) => {
    if (value !== false) aGroup({ initial: positiveDuration, max: positiveDuration })(value, name);
  },
  timeout: aGroup({ connect: positiveDuration, idle: positiveDuration }),
  shouldRetry: aFunction,
  lastEventIdIn: oneOf("header", "query"),
  maxEventSize: (value, name) => void positive(value as number, name),
  validate: aBoolean,
  onInvalid: aFunction,
};

/** @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an option that is unknown, or has a value that is not allowed. */
export function resolveSubscribeOptions(
  url: PerAttempt<string | URL>,
  options: SubscribeOptions<AnyContract | undefined>,
): ResolvedSubscribeOptions {
  checkOptions(options, subscribeChecks, "subscribe()");
  const isAddress = typeof url === "string" || typeof url === "function" || url instanceof URL;
  if (!isAddress || url === "") throw optionError("url", url, "an address, or a function that gives one");
  // Another `fetch` may take a path: that of a framework on its server, or of a test.
  const takesPaths = options.fetch !== undefined;
  if (!takesPaths) assertAbsolute(url, "url");
  const { share = isInBrowser() ? "page" : false, identity, headers, body, worker, shouldRetry } = options;
  const { fetch = globalThis.fetch, retry = {}, timeout = {} } = options;
  const { channels = [], after = "", lastEventIdIn = "header", maxEventSize = 16 * 1024 ** 2 } = options;
  if (share === "browser" && identity === undefined)
    throw optionError("identity", undefined, 'the user of all tabs, with share: "browser"');
  if (worker !== undefined && (share !== "browser" || options.fetch || shouldRetry))
    throw optionError("worker", worker, 'a function, with share: "browser" and without fetch and shouldRetry');
  const policy = {
    method: methodOf(options.method?.toUpperCase(), body),
    lastEventIdIn,
    maxEventSize,
    enabled: retry !== false,
    ...delaysOf(retry === false ? {} : retry),
    connectTimeout: milliseconds(timeout.connect ?? "30s", "timeout.connect"),
    idleTimeout: milliseconds(timeout.idle ?? "60s", "timeout.idle"),
  };
  // Functions are compared by identity, since they may give the headers of different users. An `identity` says that they do not.
  const user = identity === undefined ? [headers, body, options.fetch, shouldRetry] : [identity];
  // Where the address decides about the channels, the events are for all subscriptions.
  const isOfChannels = channels.length > 0;
  return {
    ...options,
    ...policy,
    url,
    channels,
    after,
    share,
    key: [addressOf(url) ?? url, options.credentials ?? "same-origin", isOfChannels, ...Object.values(policy), ...user],
    // A method of another object would lose its `this`.
    fetch: (address, init) => {
      // Only a function has not been asked before.
      if (!takesPaths) assertAbsolute(address as string, "url()");
      return fetch(address, init);
    },
    judge,
    judgeFailure,
    remedyOf,
    lose: (...args) => lose(policy, ...args),
    appeal: (rejection, attempt) => appeal(rejection, attempt, options),
    defaultRetry: 0,
    validate: options.validate ?? true,
  };
}

/** The address as `fetch` resolves it, if it can; a function stands for itself. */
function addressOf(url: PerAttempt<string | URL>): unknown {
  if (typeof url === "function") return url;
  const { document, location } = globalThis as { document?: { baseURI?: string }; location?: { href?: string } };
  try {
    return new URL(url, document?.baseURI ?? location?.href).href;
  } catch {
    return undefined;
  }
}

/** Of the two, an application may set one: the other has to fit. */
function delaysOf({ initial, max }: Exclude<SubscribeOptions["retry"], false | undefined>): {
  initial: number;
  max: number;
} {
  const longest = milliseconds(max ?? "30s", "retry.max");
  const first = milliseconds(initial ?? Math.min(1_000, longest), "retry.initial");
  if (max !== undefined && longest < first) throw optionError("retry.max", max, "at least retry.initial");
  return { initial: first, max: Math.max(first, longest) };
}

/** A page may have another scheme, such as `capacitor:`. A relative address takes that. */
function assertAbsolute(url: PerAttempt<string | URL>, name: string): void {
  if (/^(?!https?:)[a-z][\w+.-]*:/i.test(String(url)))
    throw optionError(name, String(url), "an address of http or https");
  if (addressOf(url) === undefined) throw optionError(name, url, "an absolute address outside of a browser");
}

/** Workers of server runtimes have the same globals, and another name. */
function isInBrowser(): boolean {
  const { document, WorkerGlobalScope } = globalThis as { document?: object; WorkerGlobalScope?: unknown };
  const isBrowser = /^Mozilla\//.test(globalThis.navigator?.userAgent ?? "");
  return isBrowser && (document !== undefined || WorkerGlobalScope !== undefined);
}

function positive(value: number, option: string): number {
  if (typeof value === "number" && value > 0) return value;
  throw optionError(option, value, "more than zero");
}
