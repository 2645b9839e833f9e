// The one writer of a run. Each append is conditional on the run's own last entry, so a run has one writer at a time, in all
// processes: whoever takes it over appends first, and the writer before learns that from its next append.
import { now, WakeTimer } from "../base/clock.ts";
import { LogError, SourcecastError } from "../base/errors.ts";
import type { HubInternals } from "../hub/internals.ts";
import type { Head, LogEntry, NewEntry, Position } from "../log/log.ts";
import { headPosition } from "../wire/cursor.ts";
import { assertEvent, assertNotReserved } from "../wire/encode.ts";
import type { WrittenEvent } from "./gather.ts";

/** Another process has taken the run over, or its channel was cleared. */
export class FencedError extends Error {}

/** The message of a {@link FencedError}. */
export const takenOver = "Another process has taken the run over";

/** First pause before an append is tried again, doubled up to the second. */
const firstRetryMs = 50;
const maxRetryMs = 1_000;

/** Where a writer begins. */
export interface WriterStart {
  /** A position up to which nothing but `newest` is the newest entry of the run. */
  readonly position: Position;
  /** Offset of the run's newest entry, 0 for none. @default 0 */
  readonly newest?: number;
  /** Tells the keys of this writer from those of another one on the same channel. @default none */
  readonly writerId?: string;
}

/** Appends the events of a run. One call at a time. */
export class RunWriter {
  readonly #hub: HubInternals;
  readonly #channel: string;
  readonly #retryFor: number;
  readonly #writerId: string;
  /** Nothing but this writer's entries has been appended to the run's channel up to here. */
  #last: Position;
  /** The offset of the writer's own newest entry, at first of the one that it continues. */
  #lastOwn: number;
  #appended = 0;
  /** Entries whose append was given up. They may be in the log, or may not: nothing is appended before that is settled. */
  #unsettled: readonly NewEntry[] = [];

  /** @param retryFor How long an append is tried again while the log fails, in milliseconds. */
  constructor(hub: HubInternals, channel: string, start: WriterStart, retryFor: number) {
    this.#hub = hub;
    this.#channel = channel;
    this.#last = start.position;
    this.#lastOwn = start.newest ?? 0;
    this.#writerId = start.writerId ?? "";
    this.#retryFor = retryFor;
  }

  /** The time of the last append, in the time of `now()`. */
  appendedAt: number = now();

  /**
   * Appends events next to each other, and resolves with their positions.
   *
   * @throws {FencedError} when another process has appended to the run.
   * @throws {LogError} when the log has failed for the whole time.
   */
  async append(events: readonly WrittenEvent[], end?: RunEnd): Promise<readonly Position[]> {
    const entries: NewEntry[] = events.map((event) => this.#entryOf(event));
    if (end !== undefined) entries.push(endMarker(this.#channel, end));
    if (this.#unsettled.length > 0) await this.#send(this.#unsettled);
    return entries.length > 0 ? this.#send(entries) : [];
  }

  /**
   * A position up to which no other process has appended to the run. Everything before is settled.
   *
   * @throws As {@link append} does.
   */
  async ownPosition(): Promise<Position> {
    await this.append([]);
    const head = await this.#hub.log.head();
    if (!(await this.#isOwn(head))) throw new FencedError(takenOver);
    return headPosition(head);
  }

  async #send(entries: readonly NewEntry[]): Promise<readonly Position[]> {
    this.#unsettled = entries;
    const deadline = now() + this.#retryFor;
    for (let pause = firstRetryMs; ; pause = Math.min(pause * 2, maxRetryMs)) {
      const positions = await this.#attempt(entries, deadline, pause);
      if (positions === null) continue;
      this.#unsettled = [];
      return positions;
    }
  }

  /** @returns `null` to try again: the pause is over then. */
  async #attempt(entries: readonly NewEntry[], deadline: number, pause: number): Promise<readonly Position[] | null> {
    try {
      const positions = await this.#limited(this.#hub.log.append(this.#numbered(entries)), deadline);
      this.#accepted(positions, entries.length);
      return positions;
    } catch (error) {
      try {
        if (!isConflict(error)) throw error;
        await this.#assertOwn(error);
      } catch (failure) {
        if (!isOutage(failure) || now() + pause > deadline) throw failure;
        await new Promise<void>((resolve) => new WakeTimer(() => resolve(), true).set(now() + pause));
      }
      return null;
    }
  }

  /** An append that does not answer is one whose outcome is unknown: it can be tried again, with the same keys. */
  #limited<T>(answer: Promise<T>, deadline: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = new WakeTimer(
        () => reject(new LogError("The log has not answered an append of a run", "unknown")),
        true,
      );
      timer.set(Math.min(deadline, now() + Math.max(this.#retryFor / 2, firstRetryMs)));
      answer.then(resolve, reject).finally(() => timer.stop());
    });
  }

  #entryOf(event: WrittenEvent): NewEntry {
    const { type, data } = event;
    assertNotReserved(type);
    assertEvent(type, data);
    const { maxEventSize } = this.#hub;
    // A UTF-16 code unit takes at most three bytes of UTF-8.
    if (data.length * 3 > maxEventSize && new TextEncoder().encode(data).length > maxEventSize) {
      throw new SourcecastError(
        "ERR_SSE_LIMIT",
        `An event of a run is larger than the limit eventSize, ${maxEventSize} bytes`,
      );
    }
    return { channel: this.#channel, type, data };
  }

  /** With keys, an append whose outcome is unknown can be tried again. */
  #numbered(entries: readonly NewEntry[]): NewEntry[] {
    return entries.map((entry, index) => ({
      ...entry,
      idempotencyKey: `${this.#writerId}${this.#appended + index}`,
      after: index === 0 ? this.#last : undefined,
    }));
  }

  /** The position, and the number of the next key. */
  #accepted(positions: readonly Position[], count: number): void {
    this.#last = positions.at(-1) as Position;
    this.#lastOwn = this.#last.offset;
    this.#appended += count;
    this.appendedAt = now();
    this.#hub.countPublished(count);
  }

  /** A conflict may also mean that the log no longer knows the position: after a long pause in a log that keeps little. */
  async #assertOwn(conflict: unknown): Promise<void> {
    const head = await this.#hub.log.head();
    const isOwn = await this.#isOwn(head);
    const position = headPosition(head);
    if (!isOwn || position.offset <= this.#last.offset) throw new FencedError(takenOver, { cause: conflict });
    this.#last = position;
  }

  /** Whether the newest entry of the run, if there is one, is of this writer. */
  async #isOwn({ epoch }: Head): Promise<boolean> {
    const [newest] = await this.#hub.log.last(1, { channels: [this.#channel], prefixes: [] });
    return epoch === this.#last.epoch && (newest === undefined || newest.offset === this.#lastOwn);
  }
}

/** How a run ended: `"unstored"` if `onFinish` failed. Then only the log has its text. */
export type RunEnd = "stored" | "unstored";

/** The entry that ends a channel. */
export function endMarker(channel: string, end: RunEnd = "stored"): NewEntry {
  const payload = end === "stored" ? { channel } : { channel, stored: false };
  return { channel, type: "sse:end", data: JSON.stringify(payload) };
}

/** Whether an entry ends a run whose `onFinish` failed. */
export function isUnstoredEnd({ type, data }: LogEntry): boolean {
  return type === "sse:end" && (JSON.parse(data) as { stored?: boolean }).stored === false;
}

/** Whether the log could not be reached, or has not answered: it may answer later. */
function isOutage(error: unknown): boolean {
  return error instanceof SourcecastError && (error.code === "ERR_SSE_LOG" || error.code === "ERR_SSE_TIMEOUT");
}

/** Whether an append was rejected because of its `after`. */
export function isConflict(error: unknown): boolean {
  return error instanceof SourcecastError && error.code === "ERR_SSE_CONFLICT";
}
