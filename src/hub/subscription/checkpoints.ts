// The event that gives a client its position when nothing else does.

import { encodeControl } from "../../wire/control.ts";
import { headCursor } from "../../wire/cursor.ts";
import { Frame } from "../../wire/frame.ts";
import type { FrameRing } from "../feed/frame-ring.ts";

/**
 * The checkpoint at the head: encoded once for all clients that are there. It is kept until the head moves, because the
 * keep-alives of idle clients, which become checkpoints, are due at different times.
 */
export class Checkpoints {
  readonly #ring: FrameRing;
  #cursor = "";
  #frame: Frame | null = null;

  constructor(ring: FrameRing) {
    this.#ring = ring;
  }

  atHead(): Frame {
    return this.at(headCursor(this.#ring));
  }

  /** The checkpoint at a cursor, which is most often that of the last call. */
  at(cursor: string): Frame {
    if (this.#frame === null || this.#cursor !== cursor) {
      this.#cursor = cursor;
      // With data: Firefox ignores an `id` in a block that has none.
      this.#frame = Frame.of(encodeControl("sse:checkpoint", {}, cursor));
    }
    return this.#frame;
  }
}
