// The status of a stream, as a status line shows it.
import { errorOf } from "./connection.ts";
import type { Environment } from "./environment.ts";
import type { StreamStatus } from "./events.ts";
import type { ReconnectState } from "./reconnect.ts";

/** The status of a state of the machine. @param stale Whether an open stream has been idle for suspiciously long. */
export function statusOf(state: ReconnectState, stale: boolean, environment: Environment): StreamStatus {
  const { phase, attempt, retryAt, paused } = state;
  const open = paused ? "paused" : stale ? "stale" : "open";
  const waiting = environment.online() ? "retrying" : "offline";
  return {
    state: phase === "open" ? open : phase === "waiting" ? waiting : phase,
    attempt: phase === "open" ? 0 : attempt,
    retryAt: phase === "waiting" && Number.isFinite(retryAt) ? environment.toUnixTime(retryAt) : undefined,
    error: errorOf(state),
  };
}

/** Each change is reported once: two statuses that say the same are one. */
export function isSameStatus(one: StreamStatus, other: StreamStatus): boolean {
  return (
    one.state === other.state &&
    one.attempt === other.attempt &&
    one.retryAt === other.retryAt &&
    one.error?.message === other.error?.message
  );
}
