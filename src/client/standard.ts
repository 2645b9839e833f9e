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

/** No jitter on top of the reconnection time, as browsers have none. A network that is back ends the wait. */
export function loseByStandard(state: ReconnectState, { kind, error, offline }: Loss, now: number): ReconnectState {
  if (kind === "final") return end(state, now, "failed", error);
  const retryAt = now + state.retryFloor;
  return wait(state, now, offline ? now : retryAt, retryAt);
}
