import { keepsBareId } from "../../http/request.ts";
import type { Head } from "../../log/log.ts";
import { type Cursor, formatCursor, parseCursor } from "../../wire/cursor.ts";
import { findEndMarkers } from "../admission/ended-channels.ts";
import { checkpointFrame, silentPositionFrame } from "./checkpoints.ts";
import { endMarkers, latestValues, sendPaced } from "./current-values.ts";
import { declareGap, declareReset } from "./loss.ts";
import { decideResume } from "./resume.ts";
import type { Subscription } from "./subscription.ts";

/** Finds where a subscription begins: at the head, or where its client was. */
export async function start(subscription: Subscription, lastEventId: string): Promise<void> {
  await subscription.context.feed.start();
  if (subscription.closed) return;
  if (lastEventId === "") await startNew(subscription);
  else await resume(subscription, parseCursor(lastEventId));
}

async function resume(subscription: Subscription, cursor: Cursor | null): Promise<void> {
  const { selection, context } = subscription;
  const { log } = context.feed;
  const head = await context.feed.head(selection);
  const witness = cursor === null ? undefined : await witnessAt(subscription, cursor, head);
  if (subscription.closed) return;
  const resumption = decideResume(cursor ?? "unreadable", head, witness);
  if (resumption.kind === "reset") return declareReset(subscription, resumption.reason);
  const position = cursor as Cursor;
  const { epoch, offset } = position;
  // Of a single channel it is known that its end is still to come: the client would not have got a stream otherwise.
  const ends = selection.channels.length > 1 ? await findEndMarkers(log, selection.channels) : [];
  for (const end of ends) if (end.offset <= offset) subscription.markEnded(end.channel);
  subscription.announcedOffset = offset;
  subscription.moveTo(position);
  if (resumption.kind === "gap") return declareGap(subscription, resumption.to, "trimmed");
  // To the letter of the standard a client begins each stream without an id; browsers keep the one that they have.
  subscription.sendControl(silentPositionFrame(formatCursor(epoch, offset, position.witness)));
}

/** A client without a position: the state of its channels, the last events if it is to have them, then what comes. */
async function startNew(subscription: Subscription): Promise<void> {
  const { options, selection, context } = subscription;
  const { ring, log } = context.feed;
  const { epoch, top, witness } = ring;
  let offset = top;
  if (options.rewind !== undefined && options.rewind > 0) {
    const { trimmed } = await context.feed.head(selection);
    const [first] = await log.last(options.rewind, selection);
    if (first !== undefined) offset = Math.max(trimmed, Math.min(offset, first.offset - 1));
  }
  await sendPaced(subscription, await latestValues(subscription, 0, offset));
  await sendPaced(subscription, await endMarkers(subscription, epoch, 0, offset));
  if (subscription.closed) return;
  const position = { epoch, offset, witness: offset === top ? witness : 0 };
  subscription.moveTo(position);
  if (subscription.allEnded) return subscription.closeIfEnded();
  const cursor = formatCursor(epoch, offset, position.witness);
  if (!keepsBareId(subscription.request)) return subscription.sendControl(checkpointFrame(cursor), offset);
  subscription.sendControl(silentPositionFrame(cursor));
  // There may be others who do not keep it, and do not say who they are.
  context.checkpoints.welcome(subscription);
}

/** The witness of the entry at a cursor's offset, `undefined` when the entry is gone or there never was one. */
async function witnessAt(subscription: Subscription, cursor: Cursor, head: Head): Promise<number | undefined> {
  const { ring, log } = subscription.context.feed;
  const { epoch, offset } = cursor;
  if (epoch !== head.epoch || offset === 0 || offset > head.top) return undefined;
  if (offset === head.top) return head.witness;
  const known = ring.epoch === epoch ? ring.witnessAt(offset) : undefined;
  return known ?? log.witness(offset);
}
