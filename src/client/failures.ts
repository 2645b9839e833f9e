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

/** The policy of `subscribe()`. An event over the limit is final: the server would send it again after a reconnect. */
export function judgeFailure(cause: unknown): Rejection {
  const error = toStreamError(cause);
  return { kind: error.failure === "event-size" ? "final" : "retry", error, retryAfter: 0 };
}

/**
 * Anything that was thrown while a connection opened or was read. The reason of a network error is for people alone: browsers
 * hide it from scripts, and engines word it differently (`Failed to fetch`, `fetch failed`, `Load failed`).
 */
function toStreamError(cause: unknown): StreamError {
  if (cause instanceof StreamError) return cause;
  if (cause instanceof SourcecastError && cause.code === "ERR_SSE_LIMIT") {
    return new StreamError("event-size", cause.message, { cause });
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
