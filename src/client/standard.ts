// The policy of the standard's class: any response but a stream is final, and the wait is the reconnection time alone.
import { SourcecastError } from "../base/errors.ts";
import { end, type Loss, type ReconnectState, wait } from "./reconnect.ts";
import { isEventStream, type Rejection, type Verdict } from "./response.ts";

/**
 * Listeners of the class learn no reason.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model
 */
export function judgeByStandard(response: Response): Verdict {
  if (isEventStream(response)) return { kind: "stream" };
  response.body?.cancel().catch(() => {});
  return { kind: "ended" };
}

/** An event over the limit, and a function of the application that throws, would fail again. */
export function judgeFailureByStandard(error: unknown): Rejection {
  return { kind: error instanceof SourcecastError ? "final" : "retry", error, retryAfter: 0 };
}

/** The shortest time from the opening of a stream to the next attempt: the reconnection time of Firefox is never shorter. */
const minSpacingMs = 500;

/**
 * No jitter on top of the reconnection time, as browsers have none. A network that is back ends the wait.
 *
 * The standard lets a client wait longer than that. A server that says `retry: 0` and ends its streams at once would otherwise be
 * asked 200 times a second. The first few attempts double their distance, so that a single short stream costs no time.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#reestablish-the-connection
 */
export function loseByStandard(state: ReconnectState, { kind, error, offline }: Loss, now: number): ReconnectState {
  if (kind === "final") return end(state, now, "failed", error);
  const retryAt = Math.max(now + state.retryFloor, state.since + Math.min(minSpacingMs, 2 ** state.attempt));
  return wait(state, now, offline ? now : retryAt, retryAt);
}
