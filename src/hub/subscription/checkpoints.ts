import { unrefTimeout } from "../../base/clock.ts";
import { encodeControl } from "../../wire/control.ts";
import { headCursor } from "../../wire/cursor.ts";
import { Frame } from "../../wire/frame.ts";
import type { FrameRing } from "../feed/frame-ring.ts";

/** How long after it came a newcomer that has heard nothing is told where it is, in milliseconds. */
const newSubscriptionCheckpointMs = 250;

/** Who is told where it is some time after it came. */
export interface Newcomer {
  greet(): void;
}

/** Tells clients where they are, without anything having happened for them. */
export class Checkpoints {
  readonly #ring: FrameRing;
  #cursor = "";
  #frame: Frame | null = null;
  #newcomers: Newcomer[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ring: FrameRing) {
    this.#ring = ring;
  }

  /** The checkpoint at the head, the same for all who are there. */
  atHead(): Frame {
    const cursor = headCursor(this.#ring);
    if (this.#frame === null || this.#cursor !== cursor) {
      this.#cursor = cursor;
      this.#frame = checkpointFrame(cursor);
    }
    return this.#frame;
  }

  /** Has a newcomer greeted, together with those who come meanwhile. */
  welcome(newcomer: Newcomer): void {
    if (this.#newcomers.push(newcomer) === 1)
      this.#timer = unrefTimeout(() => this.#greet(), newSubscriptionCheckpointMs);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #greet(): void {
    const newcomers = this.#newcomers;
    this.#newcomers = [];
    for (const newcomer of newcomers) newcomer.greet();
  }
}

/** Gives the client a position without anything having happened for it. */
export function checkpointFrame(cursor: string): Frame {
  return Frame.of(encodeControl("sse:checkpoint", {}, cursor));
}

/** A position that goes unheard: enough for clients that follow the standard to the letter, and some do not. */
export function silentPositionFrame(cursor: string): Frame {
  return Frame.of(`id: ${cursor}\n\n`);
}
