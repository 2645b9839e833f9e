// Which events have passed on a stream: whether a subscription that comes from another connection would miss any.
import type { Position } from "../wire/cursor.ts";
import { isNew } from "./position.ts";

/** The names below a prefix have no bound, so the last events of so many channels are noted. */
const maxNoted = 1_000;

/**
 * On a busy stream, events of other channels pass all the time. A subscription whose position is before that of the stream may nevertheless join it, if none of the events in between was for it.
 */
export class Passed {
  /** From here on, the stream has each event of all of its channels; `null` before the first position. */
  since: Position | null = null;
  /** The last events after that, by channel. */
  readonly #latest = new Map<string, Position>();

  /** A stream has opened that resumes after a position. Or events are missing before it; `null` if it has not come yet. */
  begin(position: Position | null): void {
    this.since = position;
    // Every event of a stream without labels comes by here, and clearing an empty map costs as much as parsing a line.
    if (this.#latest.size > 0) this.#latest.clear();
  }

  /** An event without a channel may be for all subscriptions. */
  note(channel: string | undefined, position: Position): void {
    if (channel !== undefined && this.#latest.size < maxNoted) this.#latest.set(channel, position);
    else this.begin(position);
  }

  isAhead({ position, channels }: { position: Position | null; channels: ReadonlySet<string> }): boolean {
    if (this.since === null || isNew(this.since, position)) return true;
    return [...this.#latest].some(([channel, at]) => isNew(at, position) && hasMatch(channels, channel));
  }
}

/** Whether a channel, or a prefix that it begins with, is among those that are followed, and among `within`. */
export function hasMatch(
  followed: ReadonlySet<string>,
  channel: string,
  within: ReadonlySet<string> = followed,
): boolean {
  for (const name of followed) {
    const matches = name === channel || (name.endsWith("*") && channel.startsWith(name.slice(0, -1)));
    if (matches && within.has(name)) return true;
  }
  return false;
}
