// The opening of a subscription: where it begins, and what its client receives first, in one write as far as possible.
import type { LogEntry, Position } from "../../log/log.ts";
import type { Origin, Start } from "../admission/origin.ts";
import { endFrame } from "../lifetime/revocation.ts";
import { gapState, resetState, type StateAnswer } from "./loss.ts";
import { presentPosition } from "./position.ts";
import { Pump } from "./pump.ts";
import { decideResume } from "./resume.ts";
import { type ChannelState, type StateTransfer, transferState, transferStates } from "./state-transfer.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Opens a subscription, in the tick in which its stream was opened.
 *
 * The subscription joins first, so that a break in the sequence reaches it from here on; `asOf` covers the time before. Most
 * clients begin at the head with nothing to receive first. They are live at once, and never need a pump. The head is that
 * of the ring: a position past it, known from the primary, is live as well, and ignores entries until it is reached.
 */
export function openSubscription(subscription: Subscription, origin: Origin, forbidden: readonly string[]): void {
  subscription.start();
  const { feed } = subscription.context;
  const { location, joining } = origin;
  const isOfOneLog = joining === null || joining.location.head.epoch === location.head.epoch;
  // The log was cut or replaced since it was asked: the client reconnects, and its cursor tells.
  if (location.asOf !== feed.restarts || (joining ?? origin).location.asOf !== feed.restarts || !isOfOneLog) {
    subscription.stream.close("reset");
  }
  if (subscription.closed) return;
  for (const channel of forbidden) subscription.sendControl(endFrame(channel, "forbidden"));
  const first = begin(subscription, origin);
  if (subscription.closed) return;
  // Past events are extra for a new client: it loses nothing when they are cleared.
  if (origin.cursor === null) subscription.owedAfter = Math.max(subscription.owedAfter, origin.location.head.top);
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

/**
 * Decides what the client receives first. Held and joining channels begin at the same time, each in its own way; if one of them has
 * ended the stream, the snapshot that the other one holds is released.
 */
function begin(subscription: Subscription, origin: Origin): StateTransfer | null | Promise<StateTransfer | null> {
  const held = stateAt(subscription, origin);
  if (origin.joining === null) {
    if (!(held instanceof Promise)) return held && transferState(subscription, held);
    return held.then((state) => state && transferState(subscription, state));
  }
  const known = held === null || held instanceof Promise ? null : held.position;
  const joining = stateAt(subscription, origin.joining, known);
  if (!(held instanceof Promise || joining instanceof Promise)) {
    return held && joining && transferStates(subscription, held, joining);
  }
  return Promise.all([held, joining]).then(([one, other]) => {
    if (one !== null && other !== null) return transferStates(subscription, one, other);
    one?.snapshot?.release();
    other?.snapshot?.release();
    return null;
  });
}

/**
 * The state of some channels at the position where they begin.
 *
 * @param known A position that the client has of other channels. It came with it: entries up to there were published before.
 */
function stateAt(subscription: Subscription, start: Start, known: Position | null = null): StateAnswer {
  const { cursor, location } = start;
  const resumption = decideResume(cursor, location, { conflates: subscription.conflates });
  if (resumption.kind === "live") return newState(start, known);
  if (resumption.kind === "replay") return stateOfPosition(subscription, resumption.position, start);
  if (resumption.kind === "gap") return gapState(subscription, resumption, location, start);
  return resetState(subscription, resumption.reason, location, start);
}

/**
 * Channels without a position: their state, and then the events after it. State and events meet at one position, the start of
 * their past events or the present, so no entry is in both, and none is in neither.
 */
function newState({ location, begin, delivered, selection }: Start, known: Position | null): ChannelState {
  const { head, answer } = location;
  const present = latest(presentPosition(head, delivered), known);
  // The primary may be ahead of the tail.
  const position = begin !== null && begin.offset <= present.offset ? begin : present;
  return {
    selection,
    loss: null,
    snapshot: null,
    values: answer.hasValues ? { after: 0, upTo: position.offset } : null,
    ends: passedEnds(answer.ends, position),
    position,
  };
}

function passedEnds(ends: readonly LogEntry[], position: Position): readonly LogEntry[] {
  return ends.length === 0 ? ends : ends.filter(({ offset }) => offset <= position.offset);
}

function latest(present: Position, known: Position | null): Position {
  return known !== null && known.epoch === present.epoch && known.offset > present.offset ? known : present;
}

/**
 * A client with a position that the log has. It gets no values: it has received those up to its position, and later ones are
 * among the events that follow.
 */
function stateOfPosition(
  subscription: Subscription,
  position: Position,
  { location, isOwn, selection }: Start,
): ChannelState {
  const passed = passedEnds(location.answer.ends, position);
  for (const { channel } of passed) subscription.markEnded(channel);
  // A position that the application gave says nothing about which ends the client knows.
  return { selection, loss: null, snapshot: null, values: null, ends: isOwn ? [] : passed, position };
}
