// Entries that were appended lately, by their idempotency keys: a publisher that tries again gets the first answer.
import { now } from "../base/clock.ts";
import { milliseconds } from "../base/units.ts";
import type { Appended, NewEntry } from "./log.ts";

/**
 * Remembers the positions of entries with an `idempotencyKey`, for logs that keep them in memory. It uses the monotonic
 * clock.
 */
export class IdempotencyWindow {
  readonly #windowMs: number;
  /** Oldest first. */
  readonly #answers = new Map<string, { appended: Appended; time: number }>();

  /**
   * @param window How long an entry is remembered, in milliseconds.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for anything but a duration.
   */
  constructor(window: number) {
    this.#windowMs = milliseconds(window, "window");
  }

  /** The position of an entry with the same channel and key, marked as a duplicate. */
  find(entry: NewEntry): Appended | undefined {
    if (entry.idempotencyKey === undefined) return undefined;
    this.#expire();
    const answer = this.#answers.get(answerKey(entry));
    return answer && { ...answer.appended, duplicate: true };
  }

  /** Remembers where an entry was placed. Without an `idempotencyKey`, it does nothing. */
  add(entry: NewEntry, appended: Appended): void {
    if (entry.idempotencyKey === undefined) return;
    this.#expire();
    this.#answers.set(answerKey(entry), { appended, time: now() });
  }

  /** Forgets the entries after an offset, which the log has lost. */
  forgetAfter(offset: number): void {
    for (const [key, { appended }] of this.#answers) if (appended.offset > offset) this.#answers.delete(key);
  }

  /** Forgets the keys of a channel, which was cleared. */
  forgetChannel(channel: string): void {
    for (const key of this.#answers.keys()) if (JSON.parse(key)[0] === channel) this.#answers.delete(key);
  }

  #expire(): void {
    const time = now();
    for (const [key, answer] of this.#answers) {
      if (answer.time + this.#windowMs > time) return;
      this.#answers.delete(key);
    }
  }
}

/** No two pairs of channel and key have the same. */
function answerKey({ channel, idempotencyKey }: NewEntry): string {
  return JSON.stringify([channel, idempotencyKey]);
}
