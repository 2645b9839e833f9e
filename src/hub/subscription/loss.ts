// Where a gap or a reset is declared, with the state that stands in for the events that the client does not get.
import { isPromise, withDeadline } from "../../base/deadline.ts";
import { quote, SourcecastTypeError } from "../../base/errors.ts";
import type { Position } from "../../log/log.ts";
import { encodeControl, type Gap, type ResetReason } from "../../wire/control.ts";
import { headCursor, parseCursor } from "../../wire/cursor.ts";
import { Frame } from "../../wire/frame.ts";
import type { Location } from "../admission/locator.ts";
import type { Loss, Snapshot } from "../options.ts";
import { presentPosition } from "./position.ts";
import type { DeclaredGap } from "./resume.ts";
import { encodeSnapshot } from "./snapshot.ts";
import { type ChannelState, type StateTransfer, transferState } from "./state-transfer.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Declares a gap. The subscription continues after it. `onLoss` is called before the application is asked
 * for a snapshot.
 *
 * @returns The state that remains to be sent, `null` if there is none. A promise where the application is asked for it.
 */
export function declareGap(subscription: Subscription, gap: DeclaredGap, location: Location): Answer {
  const { context, request, options } = subscription;
  const { reason, from, to, position } = gap;
  // The log counts its entries: those of other channels, superseded ones, and the hub's own, too.
  const data: Gap = { missed: to - from + 1, from, to, reason, exact: false };
  context.counters.countGap(reason);
  observe(subscription, { kind: "gap", request, channels: options.channels, missed: data.missed, from, to, reason });
  return answer(subscription, {
    frame: (id) => Frame.of(encodeControl("sse:gap", data, id)),
    known: from - 1,
    position,
    location,
  });
}

/**
 * Declares that the client's position is not part of this log. The subscription continues after the head: which of the
 * log's entries the client has cannot be known, so the whole state takes their place.
 */
export function declareReset(subscription: Subscription, reason: ResetReason, location: Location): Answer {
  const { context, request, options } = subscription;
  context.counters.resets++;
  observe(subscription, { kind: "reset", request, channels: options.channels, reason });
  return answer(subscription, {
    frame: (id) => Frame.of(encodeControl("sse:reset", { reason }, id)),
    known: -1,
    position: presentPosition(location.head, context.feed.ring.head),
    location,
  });
}

function answer(subscription: Subscription, loss: DeclaredLoss): Answer {
  const take = subscription.options.snapshot ?? subscription.context.snapshot;
  if (take !== undefined) return answerWithSnapshot(subscription, loss, take);
  return transferState(subscription, stateAfter(subscription, loss, loss.position));
}

/**
 * Asks the application for the state. A failure ends the stream before anything of the loss is sent: the client reconnects
 * with its old cursor, and the loss is declared again.
 *
 * @returns `null` after a failure, and for a client that has left while the application was asked.
 */
async function answerWithSnapshot(
  subscription: Subscription,
  loss: DeclaredLoss,
  take: NonNullable<Subscription["options"]["snapshot"]>,
): Promise<StateTransfer | null> {
  // It may be read for a client that has not been moved anywhere yet.
  subscription.moveTo(loss.position);
  try {
    // The cursor is older than the state: an event in between is in both, and none is missing from both.
    const cursor = headCursor(loss.location.head);
    const { request, options, stream, context } = subscription;
    const asked = stream.context.runInAsyncScope(take, undefined, request, options.channels, cursor);
    const { callbackTimeout } = context.limits;
    const { events, ...taken } = await withDeadline(asked, callbackTimeout, "snapshot()", "limits.callbackTimeout");
    const position = positionOf(taken, cursor, loss);
    const snapshot = await encodeSnapshot(events, context);
    if (!subscription.closed)
      return transferState(subscription, { ...stateAfter(subscription, loss, position), snapshot, values: null });
    snapshot.release();
    return null;
  } catch (error) {
    subscription.fail(error, "snapshot");
    return null;
  }
}

/**
 * The state that a client lacks which continues after a position: the values and ends in (known, position]. Those up to
 * `known` it has received, and those after the position will reach it as events.
 */
function stateAfter(
  subscription: Subscription,
  { frame, known, location }: DeclaredLoss,
  position: Position,
): ChannelState {
  const { ends, hasValues } = location.answer;
  for (const { offset, channel } of ends) if (offset <= known) subscription.markEnded(channel);
  return {
    loss: frame,
    snapshot: null,
    values: hasValues && position.offset > known ? { after: Math.max(0, known), upTo: position.offset } : null,
    ends: ends.filter(({ offset }) => offset > known && offset <= position.offset),
    position,
  };
}

function positionOf(
  { cursor }: Pick<Snapshot, "cursor">,
  present: string,
  { known, position }: DeclaredLoss,
): Position {
  const taken = parseCursor(String(cursor ?? present));
  // A position at or before the loss would lead back to it, in a loop.
  if (taken !== null && taken.epoch === position.epoch && taken.offset > known) return taken;
  throw new SourcecastTypeError(
    "ERR_SSE_CURSOR",
    `The cursor of the snapshot is ${quote(cursor)}; leave it out, or take it with hub.cursor() before reading the state`,
  );
}

function observe({ context, stream }: Subscription, loss: Loss): void {
  const report = (error: unknown): void => context.onError(error, { stage: "gap" });
  try {
    const told: unknown = context.onLoss && stream.context.runInAsyncScope(context.onLoss, undefined, loss);
    // An async function may be passed where no result is expected. Its failure must not end the process.
    if (isPromise(told)) told.then(undefined, report);
  } catch (error) {
    report(error);
  }
}

type Answer = StateTransfer | null | Promise<StateTransfer | null>;

interface DeclaredLoss {
  /**
   * The frame that declares it, with an id if it is to carry the position: only where nothing follows in place of the lost
   * events. An id before the state would let a client that is cut off in between resume without it.
   */
  frame(id?: string): Frame;
  /** The client has everything up to this offset; -1 if it has nothing of this log. */
  readonly known: number;
  readonly position: Position;
  readonly location: Location;
}
