import { withDeadline } from "../../base/deadline.ts";
import { quote, SourcecastTypeError } from "../../base/errors.ts";
import type { Floor, Position } from "../../log/log.ts";
import { encodeFrame } from "../../source/event.ts";
import type { AnyContract } from "../../wire/contract.ts";
import { type ControlEvents, encodeControl, type Gap, type GapReason, type ResetReason } from "../../wire/control.ts";
import { formatCursor, headCursor, parseCursor } from "../../wire/cursor.ts";
import { encodeEvent } from "../../wire/encode.ts";
import { Frame } from "../../wire/frame.ts";
import type { Loss, Snapshot } from "../options.ts";
import { encodeChecked } from "../publish.ts";
import { checkpointFrame } from "./checkpoints.ts";
import { endMarkers, latestValues, sendPaced } from "./current-values.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Tells a client that it does not get the entries after its position up to `to`.
 *
 * @param next Where it goes on: a position that can be verified, at `to` or past it with nothing of the client in between.
 */
export async function declareGap(
  subscription: Subscription,
  to: number,
  reason: GapReason,
  next: Floor,
): Promise<void> {
  const { context, epoch, position, request, options } = subscription;
  const from = position + 1;
  const missed = to - position;
  // The log counts its entries: those of other channels, superseded ones and the hub's own among them.
  const gap: Gap = { missed, from, to, reason, exact: false };
  context.counters.countGap(reason);
  observe(subscription, { kind: "gap", request, channels: options.channels, missed, from, to, reason });
  await answer(subscription, "sse:gap", gap, { epoch, ...next }, position);
}

/** Tells a client that its position means nothing in this log, and goes on from the head. */
export async function declareReset(subscription: Subscription, reason: ResetReason): Promise<void> {
  const { context, request, options } = subscription;
  const { ring } = context.feed;
  const head = await context.feed.head();
  if (subscription.closed) return;
  // What the tail has not come to it brings itself.
  const { epoch, top, witness } = head.epoch === ring.epoch ? ring : head;
  context.counters.resets++;
  observe(subscription, { kind: "reset", request, channels: options.channels, reason });
  await answer(subscription, "sse:reset", { reason }, { epoch, offset: top, witness }, -1);
}

/**
 * Declares a loss, with what takes the place of the events: the application's snapshot if there is one, else what the
 * channels keep. The position comes behind it: a client that loses the connection in between is told, and given, all of it
 * again.
 *
 * @param known The client has heard of everything up to here.
 */
async function answer<T extends "sse:gap" | "sse:reset">(
  subscription: Subscription,
  type: T,
  data: ControlEvents[T],
  present: Position,
  known: number,
): Promise<void> {
  const snapshot = await takeSnapshot(subscription, present.epoch, known);
  if (subscription.closed) return;
  const { epoch, offset, witness } = snapshot?.cursor ?? present;
  const values = snapshot?.frames ?? (await latestValues(subscription, known, offset));
  const frames = [...values, ...(await endMarkers(subscription, epoch, known, offset))];
  const cursor = formatCursor({ epoch, offset, witness });
  if (frames.length === 0) subscription.sendControl(Frame.of(encodeControl(type, data, cursor)), offset);
  else {
    subscription.sendControl(Frame.of(encodeControl(type, data)));
    await sendPaced(subscription, frames);
    if (!subscription.allEnded) subscription.sendControl(checkpointFrame(cursor), offset);
  }
  subscription.moveTo({ epoch, offset, witness });
  subscription.closeIfEnded();
}

/** The application's snapshot, encoded before anything of it is sent. Where it fails, the stream ends. */
async function takeSnapshot(
  subscription: Subscription,
  epoch: string,
  known: number,
): Promise<{ frames: Frame[]; cursor: Position } | null> {
  const { options, context, request } = subscription;
  const take = options.snapshot ?? context.snapshot;
  if (take === undefined) return null;
  try {
    const present = headCursor(await context.feed.log.head());
    const taken = subscription.stream.context.runInAsyncScope(take, undefined, request, options.channels, present);
    const { callbackTimeout } = context.limits;
    const snapshot = await withDeadline(taken, callbackTimeout, "snapshot()", "limits.callbackTimeout");
    const cursor = parseCursor(String(snapshot.cursor ?? present));
    // One that is no newer than the loss would lead back to it, again and again.
    if (cursor?.epoch !== epoch || cursor.offset <= known) throw staleSnapshot(snapshot.cursor);
    return { cursor, frames: await encodeSnapshot(snapshot.events, context.contract) };
  } catch (error) {
    subscription.fail(error, "snapshot");
    return null;
  }
}

/** The contract of the hub binds a snapshot too: clients cannot tell its events from published ones. */
function encodeSnapshot(events: Snapshot["events"], contract: AnyContract | undefined): Promise<Frame[]> {
  const encode = async ({ type, data }: Snapshot["events"][number]): Promise<Frame> => {
    if (contract === undefined) return encodeFrame(type, data);
    return Frame.of(encodeEvent({ type, data: await encodeChecked(contract, type, data) }));
  };
  return Promise.all(events.map(encode));
}

function observe({ context, stream }: Subscription, loss: Loss): void {
  try {
    if (context.onLoss !== undefined) stream.context.runInAsyncScope(context.onLoss, undefined, loss);
  } catch (error) {
    context.onError(error, { stage: "gap" });
  }
}

function staleSnapshot(cursor: unknown): SourcecastTypeError {
  return new SourcecastTypeError(
    "ERR_SSE_CURSOR",
    `The cursor of the snapshot is ${quote(cursor)}; leave it out, or take it anew before the state is read`,
  );
}
