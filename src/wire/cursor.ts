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
const maxEpochLength = 12;
const maxOffsetLength = 16;
const maxWitnessLength = 8;
const dot = 46;

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
  return typeof text === "string" ? nextPosition(text, null) : null;
}

/**
 * The position that the cursor of the next event names. Most have the epoch of the position before, and it is not read again:
 * a client does this for each event.
 */
export function nextPosition(text: string, before: Position | null): Position | null {
  const known = before?.epoch ?? "";
  const isKnown = known !== "" && text.charCodeAt(known.length) === dot && text.slice(0, known.length) === known;
  const epoch = isKnown ? known : text.slice(0, Math.max(0, text.indexOf(".")));
  const second = text.indexOf(".", epoch.length + 1);
  if (second - epoch.length > maxOffsetLength + 1 || text.length - second > maxWitnessLength + 1) return null;
  const offset = readNumber(text, epoch.length + 1, second, 10);
  const witness = readNumber(text, second + 1, text.length, 16);
  const isPosition = Number.isSafeInteger(offset) && witness > 0 && (isKnown || isEpoch(epoch));
  return isPosition ? { epoch, offset, witness } : null;
}

function isEpoch(text: string): boolean {
  return /^[\w-]+$/.test(text) && text.length <= maxEpochLength;
}

/**
 * A number in digits, lower-case ones past 9, without leading zeros; `NaN` for anything else. The digits of a witness are random,
 * so a branch for each would be mispredicted. Instead, differences become negative for anything that is not a digit.
 */
function readNumber(text: string, start: number, end: number, base: 10 | 16): number {
  const lastLetter = 86 + base;
  let value = 0;
  let wrong = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    wrong |= ((code - 48) | (57 - code)) & ((code - 97) | (lastLetter - code));
    value = value * base + (code & 15) + 9 * (code >> 6);
  }
  const isNumber = wrong >= 0 && (end - start === 1 || (end > start && text.charCodeAt(start) !== 48));
  return isNumber ? value : Number.NaN;
}

/** The position before the oldest entry, as logs describe it. */
type FloorLike = Readonly<{ epoch: string; floor: Readonly<{ offset: number; witness: number }> }>;

/** The newest entry, as logs and rings describe it. */
type HeadLike = Readonly<{ epoch: string; top: number; witness: number }>;
