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

// Letters, digits, "-", "_" and ".": browsers send these back without a preflight. At most 12 + 1 + 16 + 1 + 8 characters.
const cursorPattern = /^([A-Za-z0-9_-]{1,12})\.(0|[1-9]\d{0,15})\.([1-9a-f][0-9a-f]{0,7})$/;

/** The cursor of a position: epoch, offset and, in hexadecimal, witness. */
export function formatCursor({ epoch, offset, witness }: Position): string {
  return `${epoch}.${offset}.${witness.toString(16)}`;
}

/** The position of the newest entry, of a log's head or of a ring. */
export function headPosition({ epoch, top, witness }: HeadLike): Position {
  return { epoch, offset: top, witness };
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
export function parseCursor(text: string): Position | null {
  const match = cursorPattern.exec(text);
  if (match === null) return null;
  const offset = Number(match[2]);
  return Number.isSafeInteger(offset)
    ? { epoch: match[1] as string, offset, witness: Number.parseInt(match[3] as string, 16) }
    : null;
}

/** The newest entry, as logs and rings describe it. */
type HeadLike = Readonly<{ epoch: string; top: number; witness: number }>;
