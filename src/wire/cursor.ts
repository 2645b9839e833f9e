/** A position in a log, as a client carries it: the SSE `id` of a hub's event. */
export interface Cursor {
  /** The incarnation of the log. */
  readonly epoch: string;
  /** Everything up to here has been received or declared. */
  readonly offset: number;
  /** Witness of the entry at the offset, or 0 where it is not known: a gap ends at an entry that is gone. */
  readonly witness: number;
}

// Letters, digits, "." and "-": what browsers send back without a preflight. At most 64 + 1 + 16 + 1 + 8 characters.
const cursorPattern = /^([A-Za-z0-9_-]{1,64})\.(0|[1-9]\d{0,15})\.(0|[1-9a-f][0-9a-f]{0,7})$/;

export function formatCursor(epoch: string, offset: number, witness: number): string {
  return `${epoch}.${offset}.${witness.toString(16)}`;
}

/** The cursor of the newest entry, of a log's head or of a ring. */
export function headCursor({ epoch, top, witness }: { epoch: string; top: number; witness: number }): string {
  return formatCursor(epoch, top, witness);
}

/** The cursor that a client sent, or `null` for a text that is none. */
export function parseCursor(text: string): Cursor | null {
  const match = cursorPattern.exec(text);
  if (match === null) return null;
  const offset = Number(match[2]);
  return Number.isSafeInteger(offset)
    ? { epoch: match[1] as string, offset, witness: Number.parseInt(match[3] as string, 16) }
    : null;
}
