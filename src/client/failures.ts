// The errors of a connection, as applications see them.
import { SourcecastError } from "../base/errors.ts";
import { StreamError } from "./errors.ts";
import { type ReconnectState, TimeoutReason } from "./reconnect.ts";
import type { Rejection } from "./response.ts";

/** The error of a state, as applications see it. The machine keeps only the reason of a timeout; its message is made here. */
export function errorOf({ error }: ReconnectState): StreamError | undefined {
  if (error === undefined) return undefined;
  if (!(error instanceof TimeoutReason)) return toStreamError(error);
  const { during, time } = error;
  return new StreamError(
    "timeout",
    during === "connect"
      ? `The connection was not open after ${time} ms; check the network, or raise timeout.connect`
      : `Nothing has arrived for ${time} ms, not even a keep-alive; the connection counts as dead`,
  );
}

/**
 * The policy of `subscribe()`. Two failures are final: an event over the limit, which the server would send again after a
 * reconnect, and a request that cannot be sent as the application has given it. A function that throws is called again.
 */
export function judgeFailure(cause: unknown): Rejection {
  const isFinal = cause instanceof SourcecastError && !(cause instanceof StreamError);
  return { kind: isFinal ? "final" : "retry", error: toStreamError(cause), retryAfter: 0 };
}

/**
 * Anything that was thrown while a connection opened or was read. The reason of a network error is for people alone: browsers
 * hide it from scripts, and engines word it differently (`Failed to fetch`, `fetch failed`, `Load failed`).
 */
function toStreamError(cause: unknown): StreamError {
  if (cause instanceof StreamError) return cause;
  if (cause instanceof SourcecastError) {
    return new StreamError(cause.code === "ERR_SSE_LIMIT" ? "event-size" : "request", cause.message, { cause });
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
