import type { Head } from "../../logs/log.ts";
import { keepsBareId } from "../../request.ts";
import { type Cursor, formatCursor, parseCursor } from "../cursor.ts";
import { findEnds } from "../ends.ts";
import { checkpointFrame, silentPositionFrame } from "./checkpoints.ts";
import { declareGap, declareReset } from "./loss.ts";
import { decideResume } from "./resume.ts";
import { endsBetween, tellAll, valuesBetween } from "./state.ts";
import type { Subscription } from "./subscription.ts";

/** Finds where a subscription begins: at the head, or where its client was. */
export async function begin(subscription: Subscription, lastEventId: string): Promise<void> {
  await subscription.context.feed.start();
  if (subscription.closed) return;
  if (lastEventId === "") await beginFresh(subscription);
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
  const ends = selection.channels.length > 1 ? await findEnds(log, selection.channels) : [];
  for (const end of ends) if (end.offset <= offset) subscription.hasEnded(end.channel);
  subscription.told = offset;
  subscription.moveTo(position);
  if (resumption.kind === "gap") return declareGap(subscription, resumption.to, "trimmed");
  // To the letter of the standard a client begins each stream without an id; browsers keep the one that they have.
  subscription.tell(silentPositionFrame(formatCursor(epoch, offset, position.witness)));
}

/** A client without a position: the state of its channels, the last events if it is to have them, then what comes. */
async function beginFresh(subscription: Subscription): Promise<void> {
  const { options, selection, context } = subscription;
  const { ring, log } = context.feed;
  const { epoch, top, witness } = ring;
  let offset = top;
  if (options.rewind !== undefined && options.rewind > 0) {
    const { trimmed } = await context.feed.head(selection);
    const [first] = await log.last(options.rewind, selection);
    if (first !== undefined) offset = Math.max(trimmed, Math.min(offset, first.offset - 1));
  }
  await tellAll(subscription, await valuesBetween(subscription, 0, offset));
  await tellAll(subscription, await endsBetween(subscription, epoch, 0, offset));
  if (subscription.closed) return;
  const position = { epoch, offset, witness: offset === top ? witness : 0 };
  subscription.moveTo(position);
  if (subscription.allEnded) return subscription.closeIfEnded();
  const cursor = formatCursor(epoch, offset, position.witness);
  if (!keepsBareId(subscription.request)) return subscription.tell(checkpointFrame(cursor), offset);
  subscription.tell(silentPositionFrame(cursor));
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
