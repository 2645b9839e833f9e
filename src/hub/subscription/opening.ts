// The opening of a subscription: where it begins, and what its client receives first, in one write as far as possible.
import type { Position } from "../../log/log.ts";
import type { Origin } from "../admission/origin.ts";
import { declareGap, declareReset } from "./loss.ts";
import { presentPosition } from "./position.ts";
import { Pump } from "./pump.ts";
import { decideResume } from "./resume.ts";
import { type StateTransfer, transferState } from "./state-transfer.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Opens a subscription, in the tick in which its stream was opened.
 *
 * The subscription joins first, so that a break in the sequence reaches it from here on; `asOf` covers the time before. Most
 * clients begin at the head with nothing to receive first. They are live at once, and never need a pump. The head is that
 * of the ring: a position past it, known from the primary, is live as well, and ignores entries until it is reached.
 */
export function openSubscription(subscription: Subscription, origin: Origin): void {
  subscription.start();
  const { feed } = subscription.context;
  // The log was cut or replaced since it was asked: the client reconnects, and its cursor tells.
  if (origin.location.asOf !== feed.restarts) subscription.stream.close("reset");
  if (subscription.closed) return;
  const first = begin(subscription, origin);
  if (subscription.closed) return;
  const { ring } = feed;
  const isAtHead = subscription.epoch === ring.epoch && subscription.offset >= ring.top;
  if (first === null && isAtHead) {
    subscription.reachHead();
    return;
  }
  const pump = new Pump(subscription);
  subscription.follow(pump);
  pump.start(first);
}

function begin(subscription: Subscription, origin: Origin): ReturnType<typeof declareGap> {
  const { cursor, location } = origin;
  const resumption = decideResume(cursor, location, { conflates: subscription.conflates });
  if (resumption.kind === "live") return beginNew(subscription, origin);
  if (resumption.kind === "replay") return continueAt(subscription, resumption.position, origin);
  if (resumption.kind === "gap") return declareGap(subscription, resumption, location);
  return declareReset(subscription, resumption.reason, location);
}

/**
 * A client without a position: the state of its channels, and then the events after it. State and events meet at one
 * position, the start of its past events or the present, so no entry is in both, and none is in neither.
 */
function beginNew(subscription: Subscription, { location, begin, delivered }: Origin): StateTransfer | null {
  const { head, answer } = location;
  const present = presentPosition(head, delivered);
  // The primary may be ahead of the tail.
  const position = begin !== null && begin.offset <= present.offset ? begin : present;
  return transferState(subscription, {
    loss: null,
    snapshot: null,
    values: answer.hasValues ? { after: 0, upTo: position.offset } : null,
    ends: answer.ends.filter(({ offset }) => offset <= position.offset),
    position,
  });
}

/**
 * A client with a position that the log has. It gets no values: it has received those up to its position, and later ones are
 * among the events that follow.
 */
function continueAt(subscription: Subscription, position: Position, { location, isOwn }: Origin): StateTransfer | null {
  const passed = location.answer.ends.filter(({ offset }) => offset <= position.offset);
  for (const { channel } of passed) subscription.markEnded(channel);
  // A position that the application gave says nothing about which ends the client knows.
  return transferState(subscription, { loss: null, snapshot: null, values: null, ends: isOwn ? [] : passed, position });
}
