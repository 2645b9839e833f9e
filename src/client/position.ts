// How far a stream was delivered, so that nothing is delivered twice after a reconnect, and nothing is dropped that is new.
import { type Position, parseCursor } from "../wire/cursor.ts";
import type { ParsedEvent } from "../wire/parse.ts";

/**
 * Only an event with an id of its own that is a cursor of the current epoch can have been delivered before. Values have no
 * id, and ids of other servers say nothing about order: neither is ever dropped.
 */
export class DeliveredPosition {
  #delivered: Position | null;

  /** @param lastEventId The id that the first request sends. */
  constructor(lastEventId: string) {
    this.#delivered = parseCursor(lastEventId);
  }

  /**
   * Whether an event is new. Counts it as delivered. A cursor of another epoch is one of another log, whose offsets cannot be
   * compared with those before: it is new.
   */
  accept({ id }: ParsedEvent): boolean {
    const position = id === undefined ? null : parseCursor(id);
    if (position === null) return true;
    const delivered = this.#delivered;
    if (delivered?.epoch === position.epoch && position.offset <= delivered.offset) return false;
    this.#delivered = position;
    return true;
  }

  /**
   * A loss, or a checkpoint: the position is where the server says that it is, forward or back. It goes back after a failover
   * that lost the newest entries. Their offsets are used again, and the new entries must not pass for duplicates.
   */
  moveTo({ id }: ParsedEvent): void {
    const position = id === undefined ? null : parseCursor(id);
    if (position !== null) this.#delivered = position;
  }
}
