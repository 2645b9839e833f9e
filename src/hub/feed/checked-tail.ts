// A tail that reads holes again before it reports them: only the tail may have skipped the entries.
import { unrefTimeout } from "../../base/clock.ts";
import type { Log, LogEntry, Position, Tail, TailBatch } from "../../log/log.ts";
import { internalPage } from "../../log/page-size.ts";
import type { LogDeadline } from "../log-deadline.ts";

const maxReadAttempts = 3;
const retryDelayMs = 1_000;

/**
 * Hands over entries one by one. While it reads a hole again, the entries after it wait, so that the order is that of
 * the log. They wait for a bounded time: each read has a deadline, and there are few attempts.
 *
 * The log's own tail must not skip entries, but if one does, the hole breaks the sequence of every subscription. One
 * more read is cheap in comparison. It also separates trimmed entries, which concern only readers of some channels,
 * from missing ones.
 */
export class CheckedTail implements Tail {
  readonly #log: Log;
  readonly #deadline: LogDeadline;
  readonly #tail: Tail;
  readonly #onEntry: OnTailEntry;
  readonly #onError: (error: unknown) => void;
  #last: Pick<Position, "epoch" | "offset">;
  #waiting: TailEntry[] | null = null;
  #closed = false;

  /** @param after The position of the newest entry that is known. */
  constructor(
    log: Log,
    deadline: LogDeadline,
    after: Position,
    onEntry: OnTailEntry,
    onError: (error: unknown) => void,
  ) {
    this.#log = log;
    this.#deadline = deadline;
    this.#last = after;
    this.#onEntry = onEntry;
    this.#onError = onError;
    // Last: a log may hand over entries before `tail()` returns.
    this.#tail = log.tail(after, (batch) => this.#receive(batch), onError);
  }

  close(): void {
    this.#closed = true;
    this.#tail.close();
  }

  #receive({ epoch, entries }: TailBatch): void {
    for (const entry of entries) this.#offer({ epoch, entry });
  }

  #offer(next: TailEntry): void {
    if (this.#closed) return;
    if (this.#waiting !== null) this.#waiting.push(next);
    else if (this.#isAfterHole(next)) {
      this.#waiting = [];
      void this.#readAgain(next);
    } else this.#handOver(next, null);
  }

  /** In another epoch, or at a lower offset, the sequence starts over. That is for the {@link Feed} to judge. */
  #isAfterHole({ epoch, entry }: TailEntry): boolean {
    return epoch === this.#last.epoch && entry.offset > this.#last.offset + 1;
  }

  #handOver({ epoch, entry }: TailEntry, hole: Hole | null): void {
    this.#last = { epoch, offset: entry.offset };
    this.#onEntry(epoch, entry, hole);
  }

  async #readAgain(next: TailEntry): Promise<void> {
    const floor = await this.#tryReadUpTo(next.entry.offset - 1);
    if (this.#closed) return;
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    const { offset, previousWitness } = next.entry;
    const hole = {
      from: this.#last.offset + 1,
      to: offset - 1,
      witness: previousWitness,
      isMissing: floor < offset - 1,
    };
    // Checked again: the read may have closed the hole in full.
    this.#handOver(next, this.#isAfterHole(next) ? hole : null);
    // One of these may be after another hole. Those that follow it then wait again, in the same order.
    for (const later of waiting) this.#offer(later);
  }

  /**
   * After a while, a hole that cannot be read counts as missing: it is better to declare too much than to lose events
   * silently.
   */
  async #tryReadUpTo(end: number): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#readUpTo(end);
      } catch (error) {
        if (this.#closed) return end;
        this.#onError(error);
        if (attempt === maxReadAttempts) return 0;
        await new Promise<void>((resolve) => unrefTimeout(resolve, retryDelayMs));
      }
    }
  }

  /**
   * Hands over the entries that the log still has, as long as each follows the last one.
   *
   * @returns The offset up to which entries were trimmed. `end` if the log was replaced: then nothing of the hole counts as
   * missing, because the tail is about to report the new epoch.
   */
  async #readUpTo(end: number): Promise<number> {
    for (;;) {
      const { epoch, offset } = this.#last;
      // The ring has no holes, so superseded entries are needed, too.
      const reading = this.#log.read(offset, { ...internalPage, conflate: false });
      const page = await this.#deadline.limit(reading, "log.read()");
      if (this.#closed || page.epoch !== epoch) return end;
      for (const entry of page.entries) {
        if (entry.offset === this.#last.offset + 1 && entry.offset <= end) this.#handOver({ epoch, entry }, null);
      }
      if (this.#last.offset === offset || this.#last.offset === end) return page.floor.offset;
    }
  }
}

/**
 * Called for each entry.
 *
 * @param hole The entries before this one that could not be read, if there are such.
 */
export type OnTailEntry = (epoch: string, entry: LogEntry, hole: Hole | null) => void;

/** Entries that the tail has left out. */
export interface Hole {
  readonly from: number;
  readonly to: number;
  /** Witness of the last missing entry. */
  readonly witness: number;
  /** They were not trimmed: the log has lost them from the middle of its sequence. */
  readonly isMissing: boolean;
}

interface TailEntry {
  readonly epoch: string;
  readonly entry: LogEntry;
}
