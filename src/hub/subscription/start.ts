import { keepsBareId } from "../../http/request.ts";
import type { LocateAnswer, Position } from "../../log/log.ts";
import { formatCursor, parseCursor } from "../../wire/cursor.ts";
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

async function resume(subscription: Subscription, cursor: Position | null): Promise<void> {
  const { selection, context } = subscription;
  const { feed } = context;
  await feed.head();
  const { head, answers } = await feed.log.locate([{ cursor, selection }]);
  if (subscription.closed) return;
  const { verification, trimmed, ends } = answers[0] as LocateAnswer;
  // The ring may have an entry that the log has trimmed.
  const inRing = cursor?.epoch === feed.ring.epoch ? feed.ring.witnessAt(cursor.offset) : undefined;
  const witness = verification === "other" ? 0 : verification === "same" ? cursor?.witness : inRing;
  const resumption = decideResume(cursor ?? "unreadable", { ...head, trimmed }, witness);
  if (resumption.kind === "reset") return declareReset(subscription, resumption.reason);
  const position = cursor as Position;
  for (const end of ends) if (end.offset <= position.offset) subscription.markEnded(end.channel);
  subscription.announcedOffset = position.offset;
  subscription.moveTo(position);
  if (resumption.kind === "gap") return declareGap(subscription, resumption.to, "trimmed", head.floor);
  // To the letter of the standard a client begins each stream without an id; browsers keep the one that they have.
  subscription.sendControl(silentPositionFrame(formatCursor(position)));
}

/** A client without a position: the state of its channels, the last events if it is to have them, then what comes. */
async function startNew(subscription: Subscription): Promise<void> {
  const { options, selection, context } = subscription;
  const { ring, log } = context.feed;
  const { epoch } = ring;
  let { top: offset, witness } = ring;
  if (options.rewind !== undefined && options.rewind > 0) {
    const [first] = await log.last(options.rewind, selection);
    const { floor, epoch: present } = await context.feed.head();
    // In a log that was replaced, the entries say nothing about this position: the tail will show it.
    if (first !== undefined && present === epoch) {
      // Below the floor there is only the newest of each key, which the values bring.
      const before = first.offset > floor.offset ? { offset: first.offset - 1, witness: first.previousWitness } : floor;
      if (before.offset < offset) ({ offset, witness } = before);
    }
  }
  await sendPaced(subscription, await latestValues(subscription, 0, offset));
  await sendPaced(subscription, await endMarkers(subscription, epoch, 0, offset));
  if (subscription.closed) return;
  const position = { epoch, offset, witness };
  subscription.moveTo(position);
  if (subscription.allEnded) return subscription.closeIfEnded();
  const cursor = formatCursor(position);
  if (!keepsBareId(subscription.request)) return subscription.sendControl(checkpointFrame(cursor), offset);
  subscription.sendControl(silentPositionFrame(cursor));
  // There may be others who do not keep it, and do not say who they are.
  context.checkpoints.welcome(subscription);
}
