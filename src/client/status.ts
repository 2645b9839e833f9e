// The status of a stream, as a status line shows it.

import type { Environment } from "./environment.ts";
import type { StreamError } from "./errors.ts";
import type { StreamStatus } from "./events.ts";
import type { ReconnectState } from "./reconnect.ts";

/**
 * The status of a state of the machine. An open stream has the attempt 0, although the machine counts on until the stream has
 * proved to be healthy. A page that is put away waits without a time, so its `retryAt` is `undefined`.
 */
export function statusOf(state: ReconnectState, environment: Environment): StreamStatus {
  const { phase, attempt, retryAt, paused, stale, error } = state;
  const open = paused ? "paused" : stale ? "stale" : "open";
  const waiting = environment.online() ? "retrying" : "offline";
  return {
    state: phase === "open" ? open : phase === "waiting" ? waiting : phase,
    attempt: phase === "open" ? 0 : attempt,
    retryAt: phase === "waiting" && Number.isFinite(retryAt) ? environment.toUnixTime(retryAt) : undefined,
    error: error as StreamError | undefined,
  };
}

/**
 * Each change is reported once: two equal statuses count as one. Errors are compared by their messages, since one of
 * another tab is a copy.
 */
export function isSameStatus(one: StreamStatus, other: StreamStatus): boolean {
  return (
    one.state === other.state &&
    one.attempt === other.attempt &&
    one.retryAt === other.retryAt &&
    one.error?.message === other.error?.message
  );
}
