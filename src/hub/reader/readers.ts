// The readers of this process, and the way of each entry to those of its channel.
import type { ChannelSelection, Position } from "../../log/log.ts";
import type { ChannelIndex } from "../feed/channel-index.ts";
import type { Discontinuity, FeedObserver } from "../feed/feed.ts";
import type { RingEntry } from "../feed/frame-ring.ts";
import type { Receiver } from "../feed/subscribers.ts";

/**
 * Readers are in the index of channels like subscriptions: a producer without subscribers continues for a reader.
 * Limits, drain and the checks of stalled clients concern connections alone.
 */
export class Readers implements FeedObserver {
  readonly #index: ChannelIndex<Receiver>;
  readonly #all = new Set<JoinedReader>();
  /** Readers whose position the tail has not reached yet. */
  readonly #ahead = new Set<JoinedReader>();

  #isClosed = false;

  constructor(index: ChannelIndex<Receiver>) {
    this.#index = index;
  }

  /** A reader that was asking the log while the hub was closed fails here. */
  join(reader: JoinedReader): void {
    if (this.#isClosed) {
      reader.fail();
      return;
    }
    this.#all.add(reader);
    this.#index.add(reader, reader.selection);
  }

  /** Does nothing for a reader that has not joined, or that has left. */
  leave(reader: JoinedReader): void {
    if (!this.#all.delete(reader)) return;
    this.#ahead.delete(reader);
    this.#index.delete(reader, reader.selection);
  }

  /** Wakes the reader with the next entry, whatever its channel. */
  awaitTail(reader: JoinedReader): void {
    this.#ahead.add(reader);
  }

  /** The hub is closed. */
  close(): void {
    this.#isClosed = true;
    for (const reader of this.#all) reader.fail();
  }

  /**
   * The index delivers to readers of the channel. This set has the readers that wait for the tail itself to advance.
   */
  onEntry(_item: RingEntry): void {
    for (const reader of this.#ahead) reader.wake();
    this.#ahead.clear();
  }

  /** Whatever has happened to the sequence, a reader asks the log whether its position still holds. */
  onDiscontinuity(_how: Discontinuity, last: Position): void {
    for (const reader of this.#all) reader.verifyAgain(last);
  }
}

/** A reader, as its hub sees it. */
export interface JoinedReader extends Receiver {
  readonly selection: ChannelSelection;
  /** It looks again whether there is something to take. */
  wake(): void;
  /** Entries after its position may be missing. `last` is the newest entry before the break. */
  verifyAgain(last: Position): void;
  /** The hub is closed. */
  fail(): void;
}
