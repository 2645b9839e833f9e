// A position in the log that the application moves: it takes one entry after another, as it asks for them.
import { SourcecastError } from "../../base/errors.ts";
import { clearType } from "../../log/cleared.ts";
import type { ChannelSelection, LogEntry, Position } from "../../log/log.ts";
import { type ChannelMatcher, compileSelection } from "../../log/selection.ts";
import type { ResetReason } from "../../wire/control.ts";
import type { Location } from "../admission/locator.ts";
import type { RingEntry } from "../feed/frame-ring.ts";
import { PageReader } from "../feed/page-reader.ts";
import type { SharedPage } from "../feed/shared-page.ts";
import type { Receiver } from "../feed/subscribers.ts";
import { isInternal } from "../selection.ts";
import { presentPosition } from "../subscription/position.ts";
import { anchorAfterMove, type RecoveringReader, Recovery } from "../subscription/recovery.ts";
import { type DeclaredGap, decideResume } from "../subscription/resume.ts";
import { entriesOf, type ReaderContext, type ReadOrigin } from "./context.ts";
import { lossOfCleared, type ReadItem } from "./read-item.ts";
import { ReadStart } from "./read-start.ts";

/**
 * A reader has no queue: it holds a position, and finds the next entry in the ring, or in pages of the log where the
 * ring has moved on. While no caller waits, entries that arrive do not concern it.
 *
 * It is the sibling of a `Subscription` with its `Pump`, and makes the same decisions in the same order, `Recovery`
 * included. The difference is who sets the pace: a pump is given turns and stops where a socket is full, a reader does
 * one step for each call. So it needs no scheduler, and it answers from the ring without a turn of the event loop.
 */
export class Reader implements Receiver, RecoveringReader {
  readonly selection: ChannelSelection;
  readonly context: ReaderContext;
  /** It gets no values in place of lost events, so a lost value is declared, too. */
  readonly conflates = false;
  epoch = "";
  /** Every entry up to here was taken, declared lost, or is of another channel. At the head it may be out of date. */
  offset = -1;
  /** Has to be found in the log again before anything is taken. */
  anchor: Position | null = null;
  closed = false;
  /**
   * The witness of the entry at the offset, where it is known. It proves to the log that this is still the sequence that was
   * read: offsets alone are used again after a failover.
   */
  #witness: number | undefined;
  /** Every entry after this offset is to be taken: it was at the head there, or began there. */
  #owedAfter = 0;
  /** It waits at the head. */
  #isAtHead = false;
  /** The hub closed it, not its consumer, which would otherwise mistake that for the end of the channel. */
  #isFailed = false;
  #wake: (() => void) | null = null;
  readonly #begin: ReadStart;
  readonly #selects: ChannelMatcher;
  readonly #recovery: Recovery<ReadItem>;
  #pages: PageReader | null = null;

  constructor(selection: ChannelSelection, from: ReadOrigin, context: ReaderContext) {
    this.selection = selection;
    this.context = context;
    this.#begin = new ReadStart(from, context.feed);
    this.#selects = compileSelection(selection);
    this.#recovery = new Recovery<ReadItem>(this, {
      gap: (gap) => this.#declareGap(gap),
      reset: (reason, location) => this.#declareReset(reason, location),
    });
  }

  /**
   * Takes the next entry or loss, and waits for it if need be.
   *
   * @returns `null` after {@link close}, and when the channel has ended.
   * @throws {SourcecastError} when the log fails, or does not answer within `limits.logTimeout`. The next call tries again.
   */
  async take(): Promise<ReadItem | null> {
    if (this.offset === -1 && !this.closed) {
      const first = await this.#start();
      if (first !== null) return first;
    }
    while (!this.closed) {
      const found = await this.#next();
      if (this.closed) break;
      const isClear = found !== null && "entry" in found && found.entry.type === clearType;
      const taken = isClear ? lossOfCleared(found, this.#owedAfter, this.context.counters) : found;
      if (taken === null) continue;
      // A channel that is followed by name ends the reading; under a prefix, others may continue.
      if ("entry" in taken && taken.entry.type === "sse:end" && this.selection.prefixes.length === 0) this.close();
      else return taken;
    }
    if (this.#isFailed) throw new SourcecastError("ERR_SSE_CLOSED", "The hub was closed while a channel was read");
    return null;
  }

  /** Nothing is taken any more. */
  close(): void {
    this.closed = true;
    this.context.readers.leave(this);
    this.#pages?.release();
    this.wake();
  }

  /** The hub is closed: what comes later cannot be read, so the reading has not ended. */
  fail(): void {
    this.#isFailed = true;
    this.close();
  }

  /** Does nothing unless a call waits: a reader that is not asked has nothing to look for. */
  wake(): void {
    this.#wake?.();
    this.#wake = null;
  }

  // --- Receiver ---

  /**
   * An entry of its channel is in the ring. At the head, everything before it was read or is of another channel, so the
   * position moves there without a look at what came in between.
   */
  deliver({ entry }: RingEntry): void {
    if (this.#isAtHead) this.#moveTo({ epoch: this.epoch, offset: entry.offset - 1, witness: entry.previousWitness });
    this.wake();
  }

  /** @param last The newest entry before a break. A reader at the head had everything up to there. */
  verifyAgain(last: Position): void {
    if (this.offset === -1) return;
    if (this.#isAtHead && last.epoch === this.epoch) this.#moveTo(last);
    const { epoch, offset } = this;
    // Without a witness the offset alone vouches for nothing: the last position is at or after it.
    this.anchor = this.#witness === undefined ? { ...last } : { epoch, offset, witness: this.#witness };
    this.wake();
  }

  /**
   * Asks the log where to begin, which is also how it learns that the channel has ended. It joins the index only then: a
   * reader that is never asked for an event costs the hub nothing, and cannot leak.
   *
   * @returns The loss of a reader whose position the log does not have any more.
   */
  async #start(): Promise<ReadItem | null> {
    const { feed, locator, readers } = this.context;
    const cursor = await this.#begin.cursor();
    const { restarts } = feed;
    const question = { cursor: cursor === "unreadable" ? null : cursor, selection: this.selection };
    const location = await locator.ask(question);
    if (this.closed) return null;
    // The log was replaced while it was asked. The next look finds what it is now.
    if (location.asOf !== restarts) return this.#start();
    readers.join(this);
    if (this.closed) return null;
    const taken = this.#beginAt(cursor, location);
    const { ends } = location.answer;
    const hasEnded = this.selection.prefixes.length === 0 && ends.some(({ offset }) => offset <= this.offset);
    if (hasEnded) this.close();
    return taken;
  }

  /** The first position, decided as for a client that reconnects. */
  #beginAt(cursor: Position | "unreadable" | null, location: Location): ReadItem | null {
    const { head } = location;
    if (cursor === null) {
      this.#moveTo({ epoch: head.epoch, ...head.floor });
      // Past events are extra for a new reader.
      this.#owedAfter = head.top;
      return null;
    }
    const resumption = decideResume(cursor, location, { conflates: this.conflates });
    if (resumption.kind === "replay") this.#moveTo(resumption.position);
    // Nothing is lost for a reader that had nothing.
    else if (this.#begin.isNow) this.#moveTo(presentPosition(head, this.context.feed.ring.head));
    else if (resumption.kind === "gap") return this.#declareGap(resumption);
    else if (resumption.kind === "reset") return this.#declareReset(resumption.reason, location);
    return null;
  }

  /** The order is that of a subscription that lags: see {@link Pump}. */
  async #next(): Promise<ReadItem | null> {
    const { feed } = this.context;
    const { ring } = feed;
    this.#isAtHead = false;
    if (this.anchor !== null) return this.#recovery.verify(this.anchor);
    if (this.epoch !== ring.epoch && feed.isPastEpoch(this.epoch)) return this.#recovery.reset();
    if (this.epoch !== ring.epoch || this.offset > ring.top) return this.#awaitTail();
    const hole = feed.holeAfter(this.offset);
    if (hole !== undefined && this.offset >= hole.from - 1) return this.#recovery.skipHole(hole);
    if (this.offset >= ring.floor) return this.#takeFromRing();
    return this.#takeFromPage((hole?.from ?? Number.POSITIVE_INFINITY) - 1);
  }

  /**
   * Synchronous up to the wait, so that no entry can arrive between the comparison with the top and the wait for the
   * next one. Entries of other channels are passed over here; while it waits at the head, they cost it nothing.
   */
  #takeFromRing(): ReadItem | null | Promise<null> {
    const { ring } = this.context.feed;
    // The tail may have come to another entry at the offset than the one that the cursor names.
    const known = ring.witnessAt(this.offset);
    if (this.#witness !== undefined && known !== undefined && known !== this.#witness) {
      this.anchor = { epoch: this.epoch, offset: this.offset, witness: this.#witness };
      return null;
    }
    while (this.offset < ring.top) {
      const { entry, superseded } = ring.at(this.offset + 1) as RingEntry;
      this.#pass(entry);
      if (superseded || !this.#isFor(entry)) continue;
      return { entry, epoch: this.epoch };
    }
    this.#isAtHead = true;
    this.#owedAfter = ring.receivedUpTo(this.offset, this.#owedAfter);
    return this.#untilWoken();
  }

  /**
   * The page is shared with subscriptions that lag, and released while the reader waits at the head or has left.
   *
   * @param end Where a hole begins: entries past it are declared first.
   */
  async #takeFromPage(end: number): Promise<ReadItem | null> {
    const { feed } = this.context;
    const page = this.#pagesOfLog.at(this.offset) ?? (await this.#loadPage());
    if (page === null || this.closed) return null;
    if (page.trimmed > this.offset) return this.#recovery.skipTrimmed(page.trimmed);
    const last = Math.min(page.through, feed.ring.top, end);
    for (let index = page.indexAfter(this.offset); index < page.items.length; index++) {
      const { entry } = page.items[index] as SharedPage["items"][number];
      if (entry.offset > last) break;
      this.#pass(entry);
      if (this.#isFor(entry)) return { entry, epoch: this.epoch };
    }
    this.offset = last;
    this.#witness = feed.ring.witnessAt(last);
    return null;
  }

  /** `null` where the answer is of no use any more: the next step looks again. */
  async #loadPage(): Promise<SharedPage | null> {
    const { feed } = this.context;
    const { offset } = this;
    const page = await this.#pagesOfLog.load(offset, this.#witness);
    // Another break has a verification of its own.
    if (this.closed || this.anchor !== null || this.epoch !== feed.ring.epoch) return null;
    if (page.epoch === this.epoch && page.isVerified && page.through > offset) return page;
    // The page may be of a log that has taken the place of the one that was read, or the log has less than it had.
    const { epoch, head } = feed.ring;
    this.anchor = this.#witness === undefined ? head : { epoch, offset, witness: this.#witness };
    return null;
  }

  get #pagesOfLog(): PageReader {
    this.#pages ??= new PageReader(this.context.pages, entriesOf(this.selection));
    return this.#pages;
  }

  /** Channels of the hub's own have no readers, not even under the prefix of all. */
  #isFor({ channel }: LogEntry): boolean {
    return this.#selects(channel) && !isInternal(channel);
  }

  #pass({ offset, witness }: Pick<LogEntry, "offset" | "witness">): void {
    this.offset = offset;
    this.#witness = witness;
  }

  #moveTo(position: Position): void {
    this.anchor = anchorAfterMove(this.anchor, position);
    this.epoch = position.epoch;
    this.#pass(position);
    const { ring } = this.context.feed;
    this.#owedAfter = this.#isAtHead ? ring.receivedUpTo(position.offset, this.#owedAfter) : position.offset;
    this.#isAtHead = false;
  }

  /** The reader continues after the gap, at a position that can be verified. */
  #declareGap({ reason, from, to, position }: DeclaredGap): ReadItem {
    this.context.counters.countGap(reason);
    this.#moveTo(position);
    return { kind: "gap", loss: { missed: to - from + 1, from, to, reason, exact: false }, position };
  }

  #declareReset(reason: ResetReason, { head }: Location): ReadItem {
    this.context.counters.resets++;
    const position = presentPosition(head, this.context.feed.ring.head);
    this.#moveTo(position);
    return { kind: "reset", loss: { reason }, position };
  }

  /** The cursor came from a process whose tail is ahead of this one, or from an epoch that is about to begin here. */
  async #awaitTail(): Promise<null> {
    this.context.readers.awaitTail(this);
    return this.#untilWoken();
  }

  /** Holds no page while it waits: other readers need them. */
  async #untilWoken(): Promise<null> {
    this.#pages?.release();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    return null;
  }
}
