// Finds responses that a route did not return: no client ever reads their body.
import { now } from "../base/clock.ts";
import { warnOnce } from "../base/warn.ts";
import { type IdleTarget, unwatchIdle, watchIdle } from "./idle-timer.ts";
import type { SinkOwner } from "./sink.ts";

/** How long a route may take to return the response of a source that it has created, before the warning. */
const unreadWarningMs = 10_000;
/** How much longer the source stays open: after that, no route is expected to return it. */
const unreadCloseMs = 290_000;

/** The body under observation. */
export interface UnreadBody {
  /** A reader has begun to read, or has ended the body. */
  readonly isRead: boolean;
}

/**
 * Finds a body that is not read, because its route did not return the response. It warns once, then ends the stream, since
 * neither a client nor a runtime ever would. It uses the timer of the keep-alives, and checks a body that is read only once.
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

/** The message has both remedies, since the two ways to get here look the same: a missing `return`, and a framework of Node. */
function noticeFor(path: string): string {
  return (
    `an EventSource for ${path} was created ${unreadWarningMs / 1_000} s ago, and its response is not read. ` +
    "Return source.response() from the route. Where routes have a response of Node, as in Express and Koa, " +
    "call openEventSource(req, res) of sourcecast/node instead."
  );
}
