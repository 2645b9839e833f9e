import { controlFrame, type Gap } from "../control.ts";
import { SourcecastTypeError } from "../errors.ts";
import { encodeFrame } from "../event.ts";
import { formatCursor, parseCursor } from "./cursor.ts";
import { checkpointFrame } from "./feed.ts";
import type { Snapshot } from "./options.ts";
import type { ResetReason } from "./resume.ts";
import { sendState } from "./state.ts";
import type { Subscription } from "./subscription.ts";

/** Tells a client that it does not get what lies behind its position up to `to`, and goes on from there. */
export async function declareGap(subscription: Subscription, to: number, reason: string): Promise<void> {
  const { context, position, request, options } = subscription;
  const from = position + 1;
  const missed = to - position;
  // The log counts entries of all channels: only who follows all of them has missed just so many.
  const exact = subscription.selection.prefixes.includes("");
  const gap: Gap = { missed, from, to, reason, exact };
  context.counters.countGap(reason);
  context.onGap?.({ kind: "gap", request, channels: options.channels, missed, from, to, reason });
  const replaced = await sendSnapshot(subscription, "sse:gap", gap);
  if (replaced === null)
    subscription.tell(controlFrame("sse:gap", gap, formatCursor(context.feed.ring.epoch, to, 0)), to);
  subscription.follow(replaced ?? to);
}

/** Tells a client that its position means nothing in this log, and goes on from the head. */
export async function declareReset(subscription: Subscription, reason: ResetReason): Promise<void> {
  const { context, request, options } = subscription;
  context.counters.resets++;
  context.onGap?.({ kind: "reset", request, channels: options.channels, reason });
  const replaced = await sendSnapshot(subscription, "sse:reset", { reason });
  if (replaced !== null) return subscription.follow(replaced);
  const head = await context.feed.log.head();
  const cursor = formatCursor(head.epoch, head.top, head.witness);
  subscription.tell(controlFrame("sse:reset", { reason }, cursor), head.top);
  await sendState(subscription, head.top);
  subscription.follow(head.top);
}

/**
 * Answers a loss with the application's snapshot, if there is one. The position comes behind it: a client that loses the
 * connection in between is told, and given, all of it again.
 *
 * @returns The position of the snapshot, or `null` without one.
 */
async function sendSnapshot(
  subscription: Subscription,
  type: "sse:gap" | "sse:reset",
  data: unknown,
): Promise<number | null> {
  const { options, context, request } = subscription;
  const take = options.snapshot ?? context.snapshot;
  if (take === undefined) return null;
  const snapshot = await take(request, options.channels);
  const position = positionOf(snapshot, context.feed.ring.epoch);
  subscription.tell(controlFrame(type, data));
  for (const event of snapshot.events) subscription.tell(encodeFrame(event.type, event.data));
  subscription.tell(checkpointFrame(snapshot.cursor), position);
  return position;
}

function positionOf(snapshot: Snapshot, epoch: string): number {
  const cursor = parseCursor(String(snapshot?.cursor));
  if (cursor?.epoch === epoch) return cursor.offset;
  throw new SourcecastTypeError(
    "ERR_SSE_CURSOR",
    `The cursor of the snapshot is "${snapshot?.cursor}"; take it with await hub.cursor() before the state is read`,
  );
}
