import type { Head } from "../logs/log.ts";
import { type Cursor, formatCursor, parseCursor } from "./cursor.ts";
import { silentPositionFrame } from "./feed.ts";
import { declareGap, declareReset } from "./loss.ts";
import { decideResume } from "./resume.ts";
import { sendEnds, sendState } from "./state.ts";
import type { Subscription } from "./subscription.ts";

/** Finds where a subscription begins: at the head, or where its client was. */
export async function begin(subscription: Subscription, lastEventId: string): Promise<void> {
  await subscription.context.feed.start();
  if (subscription.closed) return;
  if (lastEventId === "") await beginFresh(subscription);
  else await resume(subscription, parseCursor(lastEventId));
}

async function resume(subscription: Subscription, cursor: Cursor | null): Promise<void> {
  const { log } = subscription.context.feed;
  const head = await log.head(subscription.selection);
  const witness = cursor === null ? undefined : await witnessAt(subscription, cursor, head);
  if (subscription.closed) return;
  const resumption = decideResume(cursor ?? "unreadable", head, witness);
  if (resumption.kind === "reset") return declareReset(subscription, resumption.reason);
  subscription.position = subscription.told = (cursor as Cursor).offset;
  if (resumption.kind === "gap") return declareGap(subscription, resumption.to, "trimmed");
  subscription.follow(subscription.position);
}

/** A client without a position: the state of its channels, the last events if it is to have them, then what comes. */
async function beginFresh(subscription: Subscription): Promise<void> {
  const { options, selection, context } = subscription;
  const { ring, log } = context.feed;
  let position = ring.top;
  if (options.rewind !== undefined && options.rewind > 0) {
    const { trimmed } = await log.head(selection);
    const [first] = await log.last(options.rewind, selection);
    if (first !== undefined) position = Math.max(trimmed, Math.min(position, first.offset - 1));
  }
  await sendState(subscription, position);
  if (position === ring.top) await sendEnds(subscription);
  if (subscription.closed) return;
  const witness = position === ring.top ? ring.witness : 0;
  subscription.tell(silentPositionFrame(formatCursor(ring.epoch, position, witness)));
  context.feed.greet(subscription);
  subscription.follow(position);
}

/** The witness of the entry at a cursor's offset, `undefined` when the entry is gone or there never was one. */
async function witnessAt(subscription: Subscription, cursor: Cursor, head: Head): Promise<number | undefined> {
  const { ring, log } = subscription.context.feed;
  const { epoch, offset } = cursor;
  if (epoch !== head.epoch || offset === 0 || offset > head.top) return undefined;
  if (offset === head.top) return head.witness;
  const item = ring.epoch === epoch ? ring.at(offset) : undefined;
  if (item !== undefined) return item.entry.witness;
  const { entries } = await log.read(offset - 1, 1);
  return entries[0]?.offset === offset ? entries[0].witness : undefined;
}
