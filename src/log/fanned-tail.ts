// One tail of a log: its position, what it was offered, and the pages that it reads in between.
import { now, setImmediateOrTimeout, unrefTimeout } from "../base/clock.ts";
import { LogError } from "../base/errors.ts";
import { followTail, type TailPage, type TailPosition } from "./follow-tail.ts";
import type { Head, LogEntry, Position, Tail, TailBatch } from "./log.ts";

/** The part of a log that a `TailFanout` uses. */
export interface TailSource {
  /**
   * The entries after an offset, as many as are read at once, with the head of the same state. Both MUST come from the
   * primary, because a tail goes back if they say so.
   */
  read(after: number): TailPage | Promise<TailPage>;
}

const failureRetryMs = 500;
/** Pages that are read for offered entries that do not continue a tail, while the call that offers them waits. */
const maxPagesAtOnce = 4;

type Found = "more" | "missing" | "end";

interface TailHandlers {
  onEntries(batch: TailBatch): void;
  onError(error: unknown): void;
  onClose(): void;
}

/** One of the tails of a `TailFanout`: takes the entries that it is offered, and reads those that it is not. */
export class FannedTail implements Tail {
  readonly #source: TailSource;
  readonly #handlers: TailHandlers;
  #position: TailPosition;
  /** Batches that were offered while a handler ran: it is not called within itself. */
  #offered: TailBatch[] = [];
  #isDelivering = false;
  /** Batches that were delivered while a read is under way, `null` while none is. */
  #sinceRead: TailBatch[] | null = null;
  #isPulling = false;
  /** There may be more than the read under way brings. */
  #mustPullAgain = false;
  /** False once a read did not return at once. */
  #canReadAtOnce = true;
  #retryAt = 0;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(source: TailSource, after: Position, handlers: TailHandlers) {
    this.#source = source;
    this.#position = after;
    this.#handlers = handlers;
  }

  take(epoch: string, entries: readonly LogEntry[]): void {
    if (this.#closed) return;
    if (this.#isDelivering) this.#offered.push({ epoch, entries });
    else if (this.#isContinuedBy(epoch, entries[0] as LogEntry)) this.#deliver({ epoch, entries });
    else if (!this.#canReadAtOnce || !this.#readAtOnce()) this.pull();
  }

  pull(): void {
    if (this.#closed || now() < this.#retryAt) return;
    this.#mustPullAgain = true;
    if (!this.#isPulling) void this.#pull();
  }

  report(error: unknown): void {
    if (!this.#closed) guarded(() => this.#handlers.onError(error));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#offered = [];
    clearTimeout(this.#retryTimer);
    this.#handlers.onClose();
  }

  /**
   * Reads the entries before those that were offered, from a store that answers at once: a moment later, retention might
   * have removed them. False when there is more to read.
   */
  #readAtOnce(): boolean {
    for (let pages = 0; pages < maxPagesAtOnce && !this.#closed; pages++) {
      let page: TailPage | Promise<TailPage>;
      try {
        page = this.#source.read(this.#position.offset);
      } catch {
        // Read again, and reported, in a moment.
        return false;
      }
      if (page instanceof Promise) {
        this.#canReadAtOnce = false;
        page.catch(() => {});
        return false;
      }
      if (this.#apply(page, true) === "end") return true;
    }
    return this.#closed;
  }

  async #pull(): Promise<void> {
    this.#isPulling = true;
    // Not within the call that asks for it, which may be the one that makes the tail.
    await null;
    try {
      let isRepeated = false;
      while (this.#mustPullAgain && !this.#closed) {
        this.#mustPullAgain = false;
        const position = this.#position;
        const since: TailBatch[] = [];
        this.#sinceRead = since;
        const page = await this.#source.read(position.offset);
        if (this.#closed) return;
        // Entries that were offered while the page was on its way came first.
        let found: Found;
        if (this.#position === position) found = this.#apply(page, isRepeated);
        else found = isDelivered(page.head, position, since) ? "end" : "more";
        isRepeated = found === "missing";
        if (found !== "end") this.#mustPullAgain = true;
        // One page in a turn of the event loop: others have theirs in between.
        if (found === "more") await new Promise<void>((resolve) => setImmediateOrTimeout(resolve));
      }
    } catch (error) {
      this.report(error);
      this.#retryLater();
    } finally {
      this.#isPulling = false;
      this.#sinceRead = null;
    }
  }

  #retryLater(): void {
    if (this.#closed) return;
    this.#retryAt = now() + failureRetryMs;
    this.#retryTimer = unrefTimeout(() => {
      this.#retryAt = 0;
      this.pull();
    }, failureRetryMs);
  }

  /** Delivers a page, or goes back: `more` when there may be more to read, `missing` when the same is to be read again. */
  #apply(page: TailPage, isRepeated: boolean): Found {
    const position = this.#position;
    const step = followTail(position, page);
    if (step.kind === "goBack") {
      this.#position = step.to;
      return "more";
    }
    if (step.kind === "missing") {
      if (!isRepeated) return "missing";
      const offset = position.offset + 1;
      this.report(new LogError(`The log does not return the entry at offset ${offset}, which it retains`, false));
    }
    const { head, entries } = page;
    if (entries.length > 0) {
      this.#deliver({ epoch: head.epoch, entries });
      // Another read would find nothing: each costs a remote store as much as an append.
      return entries.at(-1)?.offset === head.top ? "end" : "more";
    }
    // At the head: verified now, if it was not before.
    if (position.witness === null) this.#position = { ...position, witness: head.witness };
    return "end";
  }

  #isContinuedBy(epoch: string, { offset, previousWitness }: LogEntry): boolean {
    const position = this.#position;
    return epoch === position.epoch && offset === position.offset + 1 && previousWitness === position.witness;
  }

  #deliver(batch: TailBatch): void {
    this.#isDelivering = true;
    for (let next: TailBatch | undefined = batch; next !== undefined && !this.#closed; next = this.#offered.shift()) {
      const { epoch, entries } = next;
      if (next !== batch && !this.#isContinuedBy(epoch, entries[0] as LogEntry)) {
        this.#offered = [];
        this.pull();
        break;
      }
      const { offset, witness } = entries.at(-1) as LogEntry;
      this.#position = { epoch, offset, witness };
      this.#sinceRead?.push(next);
      try {
        this.#handlers.onEntries({ epoch, entries });
      } catch (error) {
        this.report(error);
      }
    }
    this.#isDelivering = false;
  }
}

/**
 * Whether the head of a page is where the tail was, or an entry that it has delivered since, by the witness: then the page has
 * nothing else. Under load, another read would be overtaken, too, and the next one.
 */
function isDelivered(head: Head, before: TailPosition, since: readonly TailBatch[]): boolean {
  const { epoch, top, witness } = head;
  if (epoch === before.epoch && top === before.offset) return witness === before.witness;
  return since.some((batch) => {
    const [first] = batch.entries;
    return first !== undefined && batch.epoch === epoch && batch.entries[top - first.offset]?.witness === witness;
  });
}

/** An error of `onError` has no handler left: it is the application's uncaught exception. */
function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
