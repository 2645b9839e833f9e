// A position in a log as text: the SSE `id` of a hub's event.

/** A position in a log: everything up to `offset` was received or declared lost. Always complete. */
export interface Position {
  /** The incarnation of the log: 1 to 12 of `A-Z a-z 0-9 - _`. */
  readonly epoch: string;
  /** Number of the newest entry that the position includes, 0 before the first. */
  readonly offset: number;
  /** Witness of the entry at the offset, the origin witness at offset 0. Never 0. */
  readonly witness: number;
}

// Letters, digits, "-", "_" and ".": browsers send these back without a preflight.
const maxWitnessLength = 8;
const dot = 46;
const zero = 48;
const nine = 57;

/** The cursor of a position: epoch, offset and, in hexadecimal, witness. */
export function formatCursor({ epoch, offset, witness }: Position): string {
  return `${epoch}.${offset}.${witness.toString(16)}`;
}

/** The position of the newest entry, of a log's head or of a ring. */
export function headPosition({ epoch, top, witness }: HeadLike): Position {
  return { epoch, offset: top, witness };
}

/** Whether a position is that of the newest entry, of a log's head or of a ring. */
export function isHeadPosition(position: Position, { epoch, top, witness }: HeadLike): boolean {
  return position.offset === top && position.witness === witness && position.epoch === epoch;
}

/** The position before the oldest retained entry, which vouches for it: a client can be verified there. */
export function floorPosition({ epoch, floor }: FloorLike): Position {
  return { epoch, offset: floor.offset, witness: floor.witness };
}

/** The cursor of the newest entry. */
export function headCursor(head: HeadLike): string {
  return formatCursor(headPosition(head));
}

/**
 * The position that a cursor names: what a client sent as `Last-Event-ID`, or what `dispatch()` returned.
 *
 * @returns `null` for a string that is not a cursor.
 * @example
 * ```ts
 * import { createHub, parseCursor } from "sourcecast";
 *
 * const hub = createHub();
 * const cursor = await hub.channel("news").dispatch("headline", "Rain");
 * console.log(parseCursor(cursor)?.offset, parseCursor("7")); // 1 null
 * await hub.close();
 * ```
 */
export function parseCursor(text: string | null | undefined): Position | null {
  return nextPosition(text, null);
}

/**
 * As {@link parseCursor}, for the id of each event in turn: most have the epoch of the position before, which is not read again.
 */
export function nextPosition(text: string | null | undefined, before: Position | null): Position | null {
  if (typeof text !== "string") return null;
  let epoch = before?.epoch;
  const isKnown = epoch !== undefined && text.charCodeAt(epoch.length) === dot && text.slice(0, epoch.length) === epoch;
  if (!isKnown) epoch = /^[\w-]{1,12}(?=\.)/.exec(text)?.[0];
  if (epoch === undefined) return null;
  const start = epoch.length + 1;
  let end = start;
  let offset = 0;
  for (let code = text.charCodeAt(end); code >= zero && code <= nine; code = text.charCodeAt(++end)) {
    offset = offset * 10 + (code - zero);
  }
  const isOffset = Number.isSafeInteger(offset) && isCanonical(text, start, end) && text.charCodeAt(end) === dot;
  const witness = isOffset ? readWitness(text, end + 1) : 0;
  return witness > 0 ? { epoch, offset, witness } : null;
}

/**
 * The witness in hexadecimal, to the end of the text; 0 for anything else. Its digits are random, so a branch for each would be
 * mispredicted. Instead, differences become negative for anything that is not a digit.
 */
function readWitness(text: string, start: number): number {
  let value = 0;
  let wrong = 0;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    wrong |= ((code - zero) | (nine - code)) & ((code - 97) | (102 - code));
    value = value * 16 + (code & 15) + 9 * (code >> 6);
  }
  const isWitness = wrong >= 0 && text.length - start <= maxWitnessLength && isCanonical(text, start, text.length);
  return isWitness ? value : 0;
}

/** Whether a number has a digit, and none more than it needs. */
function isCanonical(text: string, start: number, end: number): boolean {
  return end - start === 1 || (end > start && text.charCodeAt(start) !== zero);
}

/** The position before the oldest entry, as logs describe it. */
type FloorLike = Readonly<{ epoch: string; floor: Readonly<{ offset: number; witness: number }> }>;

/** The newest entry, as logs and rings describe it. */
type HeadLike = Readonly<{ epoch: string; top: number; witness: number }>;
