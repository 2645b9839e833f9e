// Where a gap or a reset is declared, with the state that stands in for the events that the client does not get.
import { isPromise, withDeadline } from "../../base/deadline.ts";
import { quote, SourcecastTypeError } from "../../base/errors.ts";
import { clearedRange } from "../../log/cleared.ts";
import type { ChannelSelection, LogEntry, Position } from "../../log/log.ts";
import { selects } from "../../log/selection.ts";
import { encodeControl, type Gap, type ResetReason } from "../../wire/control.ts";
import { formatCursor, headCursor, parseCursor } from "../../wire/cursor.ts";
import { Frame } from "../../wire/frame.ts";
import type { Location } from "../admission/locator.ts";
import type { Loss, Snapshot, SnapshotFunction } from "../options.ts";
import { parseSelection } from "../selection.ts";
import { presentPosition } from "./position.ts";
import type { Protocol } from "./protocol.ts";
import type { DeclaredGap } from "./resume.ts";
import { assertEvents, encodeSnapshot, type SnapshotEvent, snapshotTurn } from "./snapshot.ts";
import { type ChannelState, type StateTransfer, transferState } from "./state-transfer.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Declares a gap. The subscription continues after it. `onLoss` is called before the application is asked
 * for a snapshot.
 *
 * @returns The state that remains to be sent, `null` if there is none. A promise where the application is asked for it.
 */
export function declareGap(subscription: Subscription, gap: DeclaredGap, location: Location): Answer {
  return begin(subscription, gapState(subscription, gap, location, concernedBy(subscription, gap.to)));
}

/**
 * Declares that the client's position is not part of this log. The subscription continues after the head: which of the
 * log's entries the client has cannot be known, so the whole state takes their place.
 */
export function declareReset(subscription: Subscription, reason: ResetReason, location: Location): Answer {
  subscription.starts = null;
  return begin(subscription, resetState(subscription, reason, location, subscription));
}

/**
 * Declares that a channel was cleared, to a client that had not received all of it. The entry that records the clearing
 * carries the position: everything before it was sent, or is gone. How much of it the client has is known only roughly,
 * so too much is declared rather than too little. The entry of an earlier clearing is erased by the next one, so the range
 * of this one says nothing of where the loss begins. A snapshot would be that of an empty channel.
 */
export function declareCleared(subscription: Subscription, entry: LogEntry): void {
  const { request, context, protocol, epoch, owedAfter } = subscription;
  const { to } = clearedRange(entry);
  const from = owedAfter + 1;
  if (from > to) return;
  const gap = { missed: to - from + 1, from, to, reason: "cleared" } as const;
  const channels = [entry.channel];
  const loss: Loss = { kind: "gap", request, channels, ...gap };
  context.counters.countGap(gap.reason);
  observe(subscription, loss);
  const position = { epoch, offset: entry.offset, witness: entry.witness };
  if (protocol !== null) endWithLoss(subscription, protocol, loss, { position });
  else {
    const text = encodeControl("sse:gap", { ...gap, exact: false, channels }, formatCursor(position));
    subscription.sendControl(Frame.of(text), entry.offset);
  }
}

/** The state of channels after a gap: the declaration of the gap, and the state that stands in for the lost events. */
export function gapState(
  subscription: Subscription,
  gap: DeclaredGap,
  location: Location,
  { channels, selection }: Concerned,
): StateAnswer {
  const { context, request } = subscription;
  const { reason, from, to, position } = gap;
  // The log counts its entries: those of other channels, superseded ones, and the hub's own, too.
  const data: Gap = { missed: to - from + 1, from, to, reason, exact: false };
  const named = subscription.isLabeled ? { ...data, channels } : data;
  context.counters.countGap(reason);
  const loss: Loss = { kind: "gap", request, channels, missed: data.missed, from, to, reason };
  return answer(subscription, loss, {
    frame: (id) => Frame.of(encodeControl("sse:gap", named, id)),
    known: from - 1,
    channels,
    selection,
    position,
    location,
  });
}

/** The state of channels after a reset: all of it, since the client may have anything or nothing of this log. */
export function resetState(
  subscription: Subscription,
  reason: ResetReason,
  location: Location,
  { channels, selection }: Concerned,
): StateAnswer {
  const { context, request } = subscription;
  const data = subscription.isLabeled ? { reason, channels } : { reason };
  context.counters.resets++;
  return answer(
    subscription,
    { kind: "reset", request, channels, reason },
    {
      frame: (id) => Frame.of(encodeControl("sse:reset", data, id)),
      known: -1,
      channels,
      selection,
      position: presentPosition(location.head, context.feed.ring.head),
      location,
    },
  );
}

/** The channels that a loss of entries up to an offset concerns: not those that begin later. */
function concernedBy({ starts, channels, selection, joining }: Subscription, to: number): Concerned {
  if (starts === null) return { channels, selection };
  const held = channels.filter((name) => !joining.includes(name));
  const isHeld = to <= starts.joined.offset;
  if (!isHeld && to > starts.held.offset) return { channels, selection };
  const concerned = isHeld ? held : channels.filter((name) => joining.includes(name));
  return { channels: concerned, selection: parseSelection(concerned) };
}

/** Without a wait where the application need not be asked, so that the declaration leaves in the first write. */
function begin(subscription: Subscription, state: StateAnswer): Answer {
  if (state instanceof Promise) return state.then((settled) => settled && transferState(subscription, settled));
  return state && transferState(subscription, state);
}

/** `onLoss` is called first: it counts what happened, whether or not a snapshot can be made of it. */
function answer(subscription: Subscription, loss: Loss, declared: DeclaredLoss): StateAnswer {
  observe(subscription, loss);
  if (subscription.protocol !== null) return endWithLoss(subscription, subscription.protocol, loss, declared);
  const take = subscription.options.snapshot ?? subscription.context.snapshot;
  if (take !== undefined) return answerWithSnapshot(subscription, declared, take);
  return stateAfter(subscription, declared, declared.position);
}

/** A client that knows nothing of losses would take the events after it for the whole: the declaration is the last event. */
function endWithLoss(
  subscription: Subscription,
  protocol: Protocol,
  loss: Loss,
  { position }: Pick<DeclaredLoss, "position">,
): null {
  const { stream } = subscription;
  try {
    const call = (declare: (loss: Loss) => unknown, about: Loss) =>
      stream.context.runInAsyncScope(declare, undefined, about);
    subscription.sendControl(protocol.loss(loss, formatCursor(position), call));
    stream.close("lost");
  } catch (error) {
    subscription.fail(error, "gap");
  }
  return null;
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
  take: SnapshotFunction,
): Promise<ChannelState | null> {
  // It may be read for a client that has not been moved anywhere yet.
  subscription.moveTo(loss.position);
  const endTurn = await snapshotTurn();
  try {
    if (subscription.closed) return null;
    // A labeled event needs its channel, and the application answers for all that it is asked for together.
    const asked = subscription.isLabeled ? loss.channels.map((channel) => [channel]) : [loss.channels];
    const parts = await Promise.all(asked.map((channels) => takeSnapshot(subscription, loss, take, channels)));
    // An event between two snapshots is in one of them and comes after both.
    const position = parts.map((part) => part.position).reduce((a, b) => (a.offset <= b.offset ? a : b));
    const events = parts.length === 1 ? parts[0]?.events : parts.flatMap((part) => part.events);
    const snapshot = await encodeSnapshot(events ?? [], subscription.context, subscription.stream.context);
    if (!subscription.closed) return { ...stateAfter(subscription, loss, position), snapshot, values: null };
    snapshot.release();
    return null;
  } catch (error) {
    subscription.fail(error, "snapshot");
    return null;
  } finally {
    endTurn();
  }
}

async function takeSnapshot(
  { request, stream, context, isLabeled }: Subscription,
  loss: DeclaredLoss,
  take: SnapshotFunction,
  channels: readonly string[],
): Promise<{ position: Position; events: readonly SnapshotEvent[] }> {
  // The cursor is older than the state: an event in between is in both, and none is missing from both.
  const cursor = headCursor(loss.location.head);
  const asked = stream.context.runInAsyncScope(take, undefined, request, channels, cursor);
  const { callbackTimeout } = context.limits;
  const { events, ...taken } = await withDeadline(asked, callbackTimeout, "snapshot()", "limits.callbackTimeout");
  assertEvents(events);
  const position = positionOf(taken, cursor, loss);
  return { position, events: isLabeled ? events.map((event) => ({ ...event, channel: channels[0] })) : events };
}

/**
 * The state that a client lacks which continues after a position: the values and ends in (known, position]. Those up to
 * `known` it has received, and those after the position will reach it as events.
 */
function stateAfter(
  subscription: Subscription,
  { frame, known, location, selection }: DeclaredLoss,
  position: Position,
): ChannelState {
  const { hasValues } = location.answer;
  const { starts } = subscription;
  const ends = location.answer.ends.filter(({ channel }) => selects(selection, channel));
  for (const { offset, channel } of ends) if (offset <= known) subscription.markEnded(channel);
  return {
    selection,
    loss: frame,
    snapshot: null,
    values: hasValues && position.offset > known ? { after: Math.max(0, known), upTo: position.offset } : null,
    ends: ends.filter((end) => end.offset > known && end.offset <= position.offset && !starts?.includes(end)),
    ...(starts !== null && { excludes: (entry) => starts.includes(entry) }),
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

/** The part of a declared loss that remains to be sent. */
type Answer = StateTransfer | null | Promise<StateTransfer | null>;

/** A state, or `null` if the stream has ended: with the loss, or while the application was asked for the state. */
export type StateAnswer = ChannelState | null | Promise<ChannelState | null>;

/** The channels that have lost something. */
type Concerned = Pick<Subscription, "channels" | "selection">;

interface DeclaredLoss {
  /**
   * The frame that declares it, with an id if it is to carry the position: only where nothing follows in place of the lost
   * events. An id before the state would let a client that is cut off in between resume without it.
   */
  frame(id?: string): Frame;
  /** The client has everything up to this offset; -1 if it has nothing of this log. */
  readonly known: number;
  readonly channels: readonly string[];
  readonly selection: ChannelSelection;
  readonly position: Position;
  readonly location: Location;
}
