// Where a reader begins.
import type { Position } from "../../log/log.ts";
import type { Feed } from "../feed/feed.ts";
import type { ReadOrigin } from "./context.ts";

/**
 * The start of a reader, fixed when it is made: events that are published from that call on are read. The first use of
 * a hub asks its log, and a publish in the same tick waits for the same answer, but after this.
 */
export class ReadStart {
  readonly #from: ReadOrigin;
  readonly #feed: Feed;
  /** The newest entry when it was made, as soon as that is known. */
  #now: Position | null = null;

  constructor(from: ReadOrigin, feed: Feed) {
    this.#from = from;
    this.#feed = feed;
    const note = (): void => {
      this.#now ??= feed.ring.head;
    };
    if (feed.isStarted) note();
    // Reported by `cursor`, which tries again.
    else if (this.isNow) feed.start().then(note, () => {});
  }

  /** A reader that had nothing loses nothing. */
  get isNow(): boolean {
    return this.#from === "now";
  }

  /** The position to continue after, `null` for the oldest retained entry. @throws {SourcecastError} when the log fails. */
  async cursor(): Promise<Position | "unreadable" | null> {
    await this.#feed.start();
    if (this.#from === "start") return null;
    return this.#from === "now" ? (this.#now ?? this.#feed.ring.head) : this.#from;
  }
}
