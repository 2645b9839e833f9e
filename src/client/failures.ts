// The errors of a connection, as applications see them.
import { quote, SourcecastError } from "../base/errors.ts";
import { StreamError } from "./errors.ts";
import { reportListenerError } from "./listeners.ts";
import type { ReconnectState } from "./reconnect.ts";
import type { PreparedRequest } from "./request.ts";
import type { Rejection } from "./response.ts";

/** The error of a connection that was not open in time, or was idle for too long; `undefined` without a time. */
export function timeoutError({ phase }: ReconnectState, time: number | undefined): StreamError | undefined {
  if (time === undefined) return undefined;
  return new StreamError(
    "timeout",
    phase === "connecting"
      ? `The connection was not open after ${time} ms; check the network, or raise timeout.connect`
      : `Nothing has arrived for ${time} ms, not even a keep-alive; the connection counts as dead`,
  );
}

/**
 * The policy of `subscribe()`. Two failures are final: an event over the limit, which the server would send again after a
 * reconnect, and a request that cannot be sent as the application has given it. A function that throws is called again.
 */
export function judgeFailure(cause: unknown): Rejection {
  const isFinal = cause instanceof SourcecastError && cause.code !== "ERR_SSE_STREAM";
  return { kind: isFinal ? "final" : "retry", error: toStreamError(cause), retryAfter: 0 };
}

/** `shouldRetry` has the last word, in both directions. Without a function, the headers of a request cannot change. */
export function appeal(
  { kind, error }: Rejection,
  attempt: number,
  { shouldRetry, headers }: AppealOptions,
): Rejection["kind"] {
  try {
    const isRetried = shouldRetry?.(error as StreamError, attempt);
    if (isRetried !== undefined) return isRetried ? "retry" : "final";
  } catch (failure) {
    // Nothing above would catch it, and the stream would be connecting from then on. It counts as no answer.
    reportListenerError(failure);
  }
  return kind === "unauthorized" && typeof headers !== "function" ? "final" : kind;
}

/** The remedy for a request that the runtime refuses to send. Browsers send the control characters that others refuse. */
export function remedyOf({ init }: PreparedRequest): string {
  const position = (init.headers as Headers).get("last-event-id") ?? "";
  return /[^\t\x20-\x7e\x80-\xff]/.test(position)
    ? `; the position is ${quote(position)}: set lastEventIdIn to "query"`
    : "; correct url, method, headers or body";
}

/**
 * Anything that was thrown while a connection opened or was read. The reason of a network error is for people alone: browsers
 * hide it from scripts, and engines word it differently (`Failed to fetch`, `fetch failed`, `Load failed`).
 */
function toStreamError(cause: unknown): StreamError {
  if (cause instanceof StreamError) return cause;
  if (cause instanceof SourcecastError) {
    const { code, message } = cause;
    const failure = code === "ERR_SSE_LIMIT" ? "event-size" : "request";
    return new StreamError(failure, message, { cause: code === "ERR_SSE_STREAM" ? cause.cause : cause });
  }
  return new StreamError("network", `The connection failed: ${reasonOf(cause)}`, { cause });
}

/** Node's `fetch` says "fetch failed", and has the reason in the cause. */
function reasonOf(error: unknown): string {
  const { message = error, cause } = (error ?? {}) as {
    message?: unknown;
    cause?: { message?: string; code?: string };
  };
  const inner = cause?.message || cause?.code;
  return inner ? `${message}: ${inner}` : String(message);
}

/** The options of the application that decide about another attempt. */
interface AppealOptions {
  readonly shouldRetry?: ((error: StreamError, attempt: number) => boolean | undefined) | undefined;
  readonly headers?: unknown;
}
