// The offset of a chunk in a durable run: the cursor of its entry, and the run. A client that reconnects may send nothing else.
import { formatCursor, type Position } from "../wire/cursor.ts";

/** A parsed offset. */
export interface DurableOffset {
  readonly cursor: string;
  readonly runId: string;
}

export function formatOffset(position: Position, runId: string): string {
  return `${formatCursor(position)}/${encodeURIComponent(runId)}`;
}

/** @returns `null` for anything but an offset of {@link formatOffset}. */
export function parseOffset(offset: string): DurableOffset | null {
  const slash = offset.indexOf("/");
  try {
    const runId = decodeURIComponent(offset.slice(slash + 1));
    return slash === -1 || runId === "" ? null : { cursor: offset.slice(0, slash), runId };
  } catch {
    return null;
  }
}
