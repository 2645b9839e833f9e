// The options of a source: their types, defaults and checks.
import { SourcecastTypeError } from "../base/errors.ts";
import {
  aBoolean,
  aDuration,
  aFunction,
  allow,
  aSize,
  checkOptions,
  type OptionCheck,
  type OptionChecks,
  optionError,
} from "../base/options.ts";
import { defaultKeepAlive } from "../base/runtime.ts";
import { bytes, type Duration, milliseconds, type Size } from "../base/units.ts";
import type { CompressionGroup } from "../compression/group.ts";
import { aCompress, type Compress } from "../compression/options.ts";
import { assertCors, type CorsOptions } from "../http/cors.ts";
import { assertHeaders, type HeaderOverrides } from "../http/headers.ts";
import type { AnyContract, EventContract } from "../wire/contract.ts";
import { aContract } from "../wire/contract-check.ts";
import type { EventMap } from "../wire/event-types.ts";
import { defaultRetry, type Retry, resolveRetry } from "../wire/retry.ts";
import type { Render } from "./event.ts";

/** The argument of a function that is passed as `onOverflow`. */
export interface Overflow {
  /** Bytes that wait for this client, without the frame that does not fit. */
  bufferedAmount: number;
  /** Length of the frame that does not fit, in bytes. */
  byteLength: number;
  /** Events that were dropped on this source so far. */
  dropped: number;
}

/** `"close"`: end the stream with the reason `overflow`. `"drop"`: leave this event out. `"keep"`: buffer it nevertheless. */
export type OverflowDecision = "close" | "drop" | "keep";

/** The options of an event source. */
export interface SourceOptions {
  /**
   * Idle time after which a comment is sent, so that proxies keep the connection; `false` for never. A number is in milliseconds.
   * @default "30s", on Bun "8s"
   */
  keepAlive?: Duration | false;
  /** Time after which the client reconnects: fixed, or drawn from a range for each connection. @default ["2s", "6s"] */
  retry?: Retry;
  /** Response headers in addition to the defaults; `null` removes a default. @default none */
  headers?: HeaderOverrides;
  /** Turns dispatched data into markup; strings stay as they are. @default JSON */
  render?: Render;
  /**
   * How long an asynchronous `render` may take. After that its event is not sent, the source fires `error` with
   * `ERR_SSE_TIMEOUT`, and the events after it continue. @default "10s"
   */
  renderTimeout?: Duration;
  /**
   * Most bytes that may wait for a client that reads slowly. A larger event is still sent if no other bytes wait. At the
   * limit, `onOverflow` decides; a `pipe` waits for the client instead. @default "1mb"
   */
  maxBufferedBytes?: Size;
  /**
   * The policy for an event that exceeds `maxBufferedBytes`. `"close"` closes the source with the reason `overflow`. `"drop"`
   * counts the event in `dropped` and declares the loss to the client as `sse:gap` before the next event. A function decides
   * each time; if it returns nothing, the event is dropped.
   * @default "close"
   */
  onOverflow?: "close" | "drop" | ((overflow: Overflow) => OverflowDecision | undefined | void);
  /** Allows pages of other origins to read the stream, and answers their `OPTIONS`. @default none */
  cors?: CorsOptions;
  /** Answers 406 if the `Accept` header of the request excludes event streams. @default false */
  negotiate?: boolean;
  /** Ends the stream when the process gets SIGTERM or SIGHUP. @default true */
  closeOnSignal?: boolean;
}

/** The type of a contract for the events `E`; `never` if any event is allowed. */
export type ContractFor<E extends EventMap> = E extends boolean ? never : EventContract<E>;

/** The option that determines the type of a source or set. */
export interface ContractOptions<E extends EventMap = false> {
  /**
   * The contract of the events, from `defineEvents()` of `sourcecast/contract`. Data is validated before anything is written,
   * and the output of the schema is written. A set checks its own contract and ignores those of its members.
   * @default any event
   */
  events?: ContractFor<E>;
}

/** The options of a set. */
export interface SetOptions<E extends EventMap = false> extends ContractOptions<E> {
  /**
   * Compresses what is dispatched on the set: once, whatever the number of members. It applies to members whose client accepts
   * gzip, and that were added before their response began, in the tick in which they were created. Any other member gets the
   * same events without compression. @default false
   */
  compress?: Compress;
}

/** The second argument of an event source in its three forms: the keep-alive in ms, the render function, or options. */
export type SourceArgument<E extends EventMap = false> = Duration | Render | (SourceOptions & ContractOptions<E>);

/** {@link SourceOptions} checked and with their defaults. */
export interface ResolvedOptions {
  readonly events: AnyContract | undefined;
  readonly keepAlive: number;
  readonly retry: () => number;
  readonly headers: HeaderOverrides | undefined;
  readonly render: Render | undefined;
  readonly renderTimeout: number;
  readonly maxBufferedBytes: number;
  readonly onOverflow: NonNullable<SourceOptions["onOverflow"]>;
  readonly cors: CorsOptions | undefined;
  readonly negotiate: boolean;
  readonly closeOnSignal: boolean;
  /** Answers 503 under overload instead of a stream that ends. */
  readonly rejectOverload: boolean;
  /** Announced in the opening; `Infinity` on a stream whose client does not choose its channels. */
  readonly maxChannels: number;
  /** The group that the stream is compressed in; `false` for none, `undefined` if a set may decide. */
  readonly compress: (() => CompressionGroup) | false | undefined;
}

const defaults: ResolvedOptions = {
  events: undefined,
  keepAlive: defaultKeepAlive.source,
  retry: resolveRetry(defaultRetry),
  headers: undefined,
  render: undefined,
  renderTimeout: 10_000,
  maxBufferedBytes: 1024 ** 2,
  onOverflow: "close",
  cors: undefined,
  negotiate: false,
  closeOnSignal: true,
  rejectOverload: false,
  maxChannels: Number.POSITIVE_INFINITY,
  compress: undefined,
};

/** The checks of the options that sources and subscriptions share. */
export const responseChecks: OptionChecks<Pick<SourceOptions, "headers" | "cors">> = {
  headers: assertHeaders,
  cors: assertCors,
};

const aKeepAlive: OptionCheck = (value) => void resolveKeepAlive(value as Duration | false);
const aRetry: OptionCheck = (value) => void resolveRetry(value as Retry);
/** The checks of the options that sources and hubs share. */
export const streamChecks: OptionChecks<
  Pick<SourceOptions & ContractOptions, "keepAlive" | "retry" | "closeOnSignal" | "events">
> = {
  keepAlive: aKeepAlive,
  retry: aRetry,
  closeOnSignal: aBoolean,
  events: aContract,
};

/** The checks of the options of a set. */
export const setChecks: OptionChecks<SetOptions> = { events: aContract, compress: aCompress };

/** The checks of the options of a source, for an adapter that adds options of its own. */
export const sourceChecks: OptionChecks<SourceOptions & ContractOptions> = {
  ...streamChecks,
  ...responseChecks,
  render: aFunction,
  renderTimeout: aDuration,
  maxBufferedBytes: aSize,
  onOverflow: allow(
    '"close", "drop" or a function',
    (value) => value === "close" || value === "drop" || typeof value === "function",
  ),
  negotiate: aBoolean,
};

/** @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an unknown option, or for a value that is not allowed. */
export function resolveOptions<E extends EventMap>(options: SourceArgument<E> | undefined): ResolvedOptions {
  if (options === undefined) return defaults;
  if (typeof options === "function") return { ...defaults, render: options };
  if (typeof options !== "object") return { ...defaults, keepAlive: resolveKeepAlive(options) };
  checkOptions(options, sourceChecks, "EventSource");
  const { keepAlive, retry, renderTimeout, maxBufferedBytes } = options;
  return {
    events: options.events,
    keepAlive: keepAlive === undefined ? defaults.keepAlive : resolveKeepAlive(keepAlive),
    retry: retry === undefined ? defaults.retry : resolveRetry(retry),
    headers: options.headers,
    render: options.render,
    renderTimeout: renderTimeout === undefined ? defaults.renderTimeout : milliseconds(renderTimeout, "renderTimeout"),
    maxBufferedBytes:
      maxBufferedBytes === undefined ? defaults.maxBufferedBytes : bytes(maxBufferedBytes, "maxBufferedBytes"),
    onOverflow: options.onOverflow ?? defaults.onOverflow,
    cors: options.cors,
    negotiate: options.negotiate ?? defaults.negotiate,
    closeOnSignal: options.closeOnSignal ?? defaults.closeOnSignal,
    rejectOverload: defaults.rejectOverload,
    maxChannels: defaults.maxChannels,
    compress: defaults.compress,
  };
}

function resolveKeepAlive(keepAlive: Duration | false): number {
  if (keepAlive === false) return Number.POSITIVE_INFINITY;
  const time = milliseconds(keepAlive, "keepAlive");
  if (time >= 1) return time;
  throw optionError("keepAlive", keepAlive, 'a duration of 1 ms or more such as 30000 or "30s", or false for none');
}

/** The checks of the argument of `source.response()`. */
export const responseInitChecks: OptionChecks<{ headers?: unknown; status?: unknown; statusText?: unknown }> = {
  headers: assertHeaders,
  status: allow(
    "a status from 200 to 599",
    (value) => Number.isInteger(value) && (value as number) >= 200 && (value as number) <= 599,
  ),
  statusText: allow("a string", (value) => typeof value === "string"),
};

/** The keep-alive and the render function are two forms of the second argument, and cannot be two arguments. */
export function assertTwoArguments(count: number): void {
  if (count <= 2) return;
  throw new SourcecastTypeError(
    "ERR_SSE_OPTION",
    "EventSource was created with more than two arguments; pass both of them as new EventSource(request, { render, keepAlive })",
  );
}
