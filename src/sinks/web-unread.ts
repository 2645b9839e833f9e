// Finds responses that a route did not return: no client ever reads their body.
import { now } from "../base/clock.ts";
import { warnOnce } from "../base/warn.ts";
import { type IdleTarget, unwatchIdle, watchIdle } from "./idle-timer.ts";
import type { SinkOwner } from "./sink.ts";

/** How long a route may take to return a response whose source it has made, before it is asked whether it will. */
const unreadWarningMs = 10_000;
/** How much longer: after that no route returns it any more. */
const unreadCloseMs = 290_000;

/** The body that is watched. */
export interface UnreadBody {
  /** Somebody has begun to read, or has ended it. */
  readonly isRead: boolean;
}

/**
 * Finds a body that nobody reads: its route did not return the response. It is said once, then the stream ends, since neither
 * a client nor a runtime would ever end it. One that is read is looked at once; the timer is that of the heartbeats.
 */
export class UnreadBodyCheck implements IdleTarget {
  idleAfter: number = unreadWarningMs;
  lastSent: number = now();
  readonly #body: UnreadBody;
  readonly #owner: SinkOwner;

  constructor(body: UnreadBody, owner: SinkOwner) {
    this.#body = body;
    this.#owner = owner;
    watchIdle(this);
  }

  onIdle(time: number): void {
    if (this.#body.isRead) this.stop();
    else if (this.idleAfter === unreadCloseMs) this.#owner.onUnread();
    else {
      this.lastSent = time;
      this.idleAfter = unreadCloseMs;
      warnOnce("unread", noticeFor(this.#owner.path));
    }
  }

  stop(): void {
    unwatchIdle(this);
  }
}

function noticeFor(path: string): string {
  return (
    `an EventSource for ${path} was made ${unreadWarningMs / 1_000} s ago and nobody reads its response. ` +
    "Return source.response() from the route. Where routes answer through a response of Node, as in Express and Koa, " +
    "call openEventSource(req, res) of sourcecast/node in its place."
  );
}
