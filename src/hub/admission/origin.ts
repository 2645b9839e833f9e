// Where a client's stream begins, as far as it has to be known before the response starts.
import { type RequestLike, readLastEventId } from "../../http/request.ts";
import type { ChannelSelection, Position } from "../../log/log.ts";
import { floorPosition, parseCursor } from "../../wire/cursor.ts";
import type { Feed } from "../feed/feed.ts";
import type { LogDeadline } from "../log-deadline.ts";
import { conflates, heldOf, parseSelection, type Subscribing } from "../selection.ts";
import type { Location, Locator } from "./locator.ts";
import { findRewindStart } from "./rewind.ts";

/**
 * Finds where the channels of a request begin. Joining channels of a client that has a position begin on their own; without
 * one, all channels of a client are new.
 *
 * @param conclude Called with the result. Not a promise of it: every connection comes here, and each promise costs a turn
 * of the microtasks.
 * @param fail Called when the log fails, or does not answer within `limits.logTimeout`.
 */
export function findOrigin<T>(
  context: OriginContext,
  request: RequestLike,
  asked: Subscribing,
  conclude: (origin: Origin) => T | Promise<T>,
  fail: (error: unknown) => T,
): Promise<T> {
  const { feed } = context;
  if (feed.isStarted) return findStarts(context, request, asked, conclude, fail);
  return feed.start().then(() => findStarts(context, request, asked, conclude, fail), fail);
}

/** Once the tail follows the log: the head of the ring is known. */
function findStarts<T>(
  context: OriginContext,
  request: RequestLike,
  asked: Subscribing,
  conclude: (origin: Origin) => T | Promise<T>,
  fail: (error: unknown) => T,
): Promise<T> {
  const lastEventId = readLastEventId(request);
  const held = heldOf(asked);
  // The position of a client says nothing about channels that it has not followed.
  const own = lastEventId === "" || held.length === 0 ? null : (parseCursor(lastEventId) ?? "unreadable");
  if (own === null || asked.joining.length === 0) {
    return findStart(context, asked, asked.channels, asked.selection, own, conclude, fail);
  }
  return Promise.all([
    findStart(context, asked, held, parseSelection(held), own, asItIs, rethrow),
    findStart(context, asked, asked.joining, parseSelection(asked.joining), null, asItIs, rethrow),
  ]).then(([start, joining]) => conclude({ ...start, joining }), fail);
}

/**
 * Asks the log: one question, and one before it for a client that has no position and is to receive past events. The
 * client's own position wins over the one that the application gives: it has moved on since the page was made.
 */
function findStart<T>(
  { feed, locator, deadline }: OriginContext,
  { options, from }: Subscribing,
  channels: readonly string[],
  selection: ChannelSelection,
  own: Start["cursor"],
  conclude: (origin: Origin) => T | Promise<T>,
  fail: (error: unknown) => T,
): Promise<T> {
  // Entries that arrive while the log is asked were published after the client came.
  const delivered = feed.ring.head;
  const { restarts } = feed;
  const cursor = own ?? (typeof from === "object" ? from : null);
  // The decision is made in the same callback as the origin.
  const locate = (start: Position | null): Promise<T> => {
    const question = { cursor: cursor === "unreadable" ? null : (cursor ?? start), selection };
    return locator.ask(question).then((location) => {
      // The floor of the answer, not an earlier one: entries may have been trimmed while the log was asked.
      const begin = from === "start" ? floorPosition(location.head) : beginAt(start, location);
      // The log may have lost what this process had delivered, and the answer itself may have shown it.
      const present = restarts === location.asOf ? delivered : null;
      const isOwn = own !== null;
      return conclude({ channels, selection, cursor, isOwn, begin, delivered: present, location, joining: null });
    }, fail);
  };
  const { rewind = 0 } = options;
  if (cursor !== null || from !== "now" || rewind <= 0) return locate(null);
  return findRewindStart({ feed, deadline }, rewind, selection, conflates(options)).then(locate, fail);
}

// For a client that begins at two positions: both answers are needed for the decision.
const asItIs = (origin: Origin): Origin => origin;

function rethrow(error: unknown): never {
  throw error;
}

/**
 * Where the past events of a client begin, if the log is still the one that they were read from. If it is not, `null`: the
 * client is new, so nothing is lost for it when it begins at the present.
 */
function beginAt(start: Position | null, location: Location): Position | null {
  const { head, answer } = location;
  if (start?.epoch !== head.epoch) return null;
  // Below the floor there are only the newest entries of their keys, which are sent as values.
  if (start.offset < head.floor.offset) return floorPosition(location.head);
  return answer.verification === "same" ? start : null;
}

/** Whether the client has received the end of each of its channels. Of a prefix that is never known. */
export function hasReceivedAllEnds(
  { cursor, isOwn, location, joining }: Origin,
  { channels, prefixes }: ChannelSelection,
): boolean {
  const { ends, verification } = location.answer;
  // Only at a confirmed position: the end may have taken the place of an entry that the client received and the log lost.
  if (!isOwn || joining !== null || cursor === null || cursor === "unreadable" || verification !== "same") return false;
  return (
    prefixes.length === 0 && ends.length === channels.length && ends.every(({ offset }) => offset <= cursor.offset)
  );
}

/**
 * Whether all channels have ended, and nothing but the ends comes after the client's position: for a stream that has no event
 * for the end, whose client can never receive it.
 */
export async function hasReceivedAllEvents(
  { feed, deadline }: OriginContext,
  { cursor, isOwn, location }: Origin,
  selection: ChannelSelection,
): Promise<boolean> {
  const { channels, prefixes } = selection;
  const { ends, verification } = location.answer;
  const isKnown = isOwn && cursor !== null && cursor !== "unreadable" && verification === "same";
  if (!isKnown || prefixes.length > 0 || ends.length !== channels.length) return false;
  // One more than there are ends: if that one is before the position, nothing but the ends is after it.
  const last = await deadline.limit(feed.log.last(ends.length + 1, selection), "log.last()");
  const later = last.filter(({ offset }) => offset > cursor.offset);
  return later.length <= ends.length && later.every(({ type }) => type === "sse:end");
}

/** Where a client's stream begins. */
export interface Origin extends Start {
  /** Where its joining channels begin, if they begin on their own. */
  readonly joining: Start | null;
}

/** Where some channels of a stream begin. */
export interface Start {
  /** The channels as the client names them, and as the log selects them. */
  readonly channels: readonly string[];
  readonly selection: ChannelSelection;
  /** The client's position, or the one that the application gave in its place. */
  readonly cursor: Position | "unreadable" | null;
  /** The cursor came from the client. */
  readonly isOwn: boolean;
  /** The position after which a client without a cursor begins, `null` for the present. */
  readonly begin: Position | null;
  /** The newest entry that this process had delivered when the log was asked; `null` if the log has lost it since. */
  readonly delivered: Position | null;
  readonly location: Location;
}

/** The parts of the hub that are asked. */
export interface OriginContext {
  readonly feed: Feed;
  readonly deadline: LogDeadline;
  readonly locator: Locator;
}
