// The event that gives a client its position when nothing else does.

import { encodeControl } from "../../wire/control.ts";
import { formatCursor, type Position } from "../../wire/cursor.ts";
import { Frame } from "../../wire/frame.ts";
import type { FrameRing } from "../feed/frame-ring.ts";

/**
 * The checkpoint at the head: encoded once for all clients that are there. It is kept until the head moves, because the
 * keep-alives of idle clients, which become checkpoints, are due at different times.
 */
export class Checkpoints {
  readonly #ring: FrameRing;
  #position: Position | null = null;
  #cursor = "";
  #frame: Frame = Frame.of("");

  constructor(ring: FrameRing) {
    this.#ring = ring;
  }

  atHead(): Frame {
    return this.at(this.#ring.head);
  }

  /** The checkpoint at a position, which is most often that of the last call. */
  at(position: Position): Frame {
    if (this.#position === position) return this.#frame;
    this.#position = position;
    const cursor = formatCursor(position);
    if (this.#cursor === cursor) return this.#frame;
    this.#cursor = cursor;
    // With data: Firefox ignores an `id` in a block that has none.
    this.#frame = Frame.of(encodeControl("sse:checkpoint", {}, cursor));
    return this.#frame;
  }
}
