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

/** The cursor of a position: epoch, offset and, in hexadecimal, witness. */
export function formatCursor({ epoch, offset, witness }: Position): string {
  return `${epoch}.${offset}.${witness.toString(16)}`;
}

/** The position of the newest entry, of a log's head or of a ring. */
export function headPosition({ epoch, top, witness }: HeadLike): Position {
  return { epoch, offset: top, witness };
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
  if (typeof text !== "string") return null;
  // A client does this for each event. It takes a quarter of the time of a regular expression with groups.
  const first = text.indexOf(".");
  const second = text.indexOf(".", first + 1);
  if (!isEpoch(text, first) || second - first > maxOffsetLength + 1 || text.length - second > maxWitnessLength + 1) {
    return null;
  }
  const offset = readNumber(text, first + 1, second, 10);
  const witness = readNumber(text, second + 1, text.length, 16);
  return Number.isSafeInteger(offset) && witness > 0 ? { epoch: text.slice(0, first), offset, witness } : null;
}

/** Whether the text up to `end` can be an epoch. */
function isEpoch(text: string, end: number): boolean {
  if (end < 1 || end > maxEpochLength) return false;
  for (let at = 0; at < end; at++) {
    const code = text.charCodeAt(at);
    const isLetter = (code | 32) >= 97 && (code | 32) <= 122;
    if (!isLetter && !isDigit(code) && code !== 45 && code !== 95) return false;
  }
  return true;
}

/** A number in digits, lower-case ones past 9, without leading zeros; `NaN` for anything else. */
function readNumber(text: string, start: number, end: number, base: 10 | 16): number {
  if (start >= end || (end - start > 1 && text.charCodeAt(start) === 48)) return Number.NaN;
  let value = 0;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (isDigit(code)) value = value * base + (code - 48);
    else if (base === 16 && code >= 97 && code <= 102) value = value * base + (code - 87);
    else return Number.NaN;
  }
  return value;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

/** The position before the oldest entry, as logs describe it. */
type FloorLike = Readonly<{ epoch: string; floor: Readonly<{ offset: number; witness: number }> }>;

/** The newest entry, as logs and rings describe it. */
type HeadLike = Readonly<{ epoch: string; top: number; witness: number }>;
