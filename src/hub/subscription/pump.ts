// Brings a subscription to the head: through pages of the log, then through the ring.
import { clearType } from "../../log/cleared.ts";
import type { LogEntry } from "../../log/log.ts";
import { type ChannelMatcher, compileSelection } from "../../log/selection.ts";
import type { RingEntry } from "../feed/frame-ring.ts";
import { PageReader } from "../feed/page-reader.ts";
import type { PageItem } from "../feed/shared-page.ts";
import type { CatchUp } from "./catch-up.ts";
import { checkPermission } from "./filter.ts";
import { declareCleared, declareGap, declareReset } from "./loss.ts";
import { Recovery } from "./recovery.ts";
import { type Slice, scheduler, type Task } from "./scheduler.ts";
import type { StateTransfer } from "./state-transfer.ts";
import type { Subscription } from "./subscription.ts";

/** The cost of an entry that is sent, in the units of a {@link Slice}. A skipped one costs 1. */
const sendUnits = 8;

/**
 * Works in steps, when the scheduler says so, and only while the client reads. Everything that takes time
 * happens here, one thing after the other: nothing else moves a position that lags.
 */
export class Pump implements CatchUp, Task {
  readonly #subscription: Subscription;
  readonly #selects: ChannelMatcher;
  readonly #pages: PageReader;
  readonly #recovery: Recovery<StateTransfer>;
  /** A state that is sent before the position moves on. */
  #transfer: StateTransfer | null = null;
  /** It waits for an answer, of the log or of the application. */
  #isWaiting = false;
  #isStopped = false;
  /** Entries sent since the client was last declared a gap, as long as it has not been at the head. */
  #replayed = 0;
  readonly #maxReplay: number;
  /** The witness of the last entry that it has passed. One object, changed in place: it is written for every entry. */
  #passed = { offset: -1, witness: 0 };

  constructor(subscription: Subscription) {
    const { selection, conflates, context, isCatchingUp } = subscription;
    const kind = conflates ? "conflated" : "all";
    this.#subscription = subscription;
    this.#selects = compileSelection(selection);
    // The limit counts from the last loss that the client was told.
    const restartCount = (): void => {
      this.#replayed = 0;
    };
    this.#recovery = new Recovery(subscription, {
      gap(gap, location) {
        restartCount();
        return declareGap(subscription, gap, location);
      },
      reset(reason, location) {
        restartCount();
        return declareReset(subscription, reason, location);
      },
    });
    this.#pages = new PageReader(context.pages, {
      kind,
      selection,
      upTo: Number.POSITIVE_INFINITY,
      // Needed only by a client that the ring has left behind.
      get key() {
        return `${kind} ${subscription.selectionKey}`;
      },
    });
    // A client that has been at the head is not reconnecting any more.
    this.#maxReplay = isCatchingUp ? context.limits.maxReplay : Number.POSITIVE_INFINITY;
  }

  /**
   * Begins in this tick where the opening has decided it all, so that the first events leave with the opening in one write.
   *
   * @param first What is sent before anything else.
   */
  start(first: StateTransfer | null | Promise<StateTransfer | null>): void {
    if (first instanceof Promise) this.#recover(first);
    else {
      this.#transfer = first;
      this.schedule();
    }
  }

  /** While it waits, the end of the wait asks for a turn: one more would only find that there is nothing to do. */
  schedule(): void {
    if (!this.#isWaiting && !this.#isStopped) scheduler.schedule(this);
  }

  /** Lets go of everything at once: a page that is held here is one that another reader waits for. */
  stop(): void {
    this.#isStopped = true;
    this.#rest();
  }

  /** The scheduler has no error handling: a failure of this replay must not stop those of others. */
  step(slice: Slice): boolean {
    try {
      const isUnfinished = this.#step(slice);
      if (!isUnfinished) this.#rest();
      return isUnfinished;
    } catch (error) {
      this.#rest();
      if (!this.#subscription.closed) this.#subscription.fail(error, "replay");
      return false;
    }
  }

  /**
   * Returns whether there is more to do at once. The order matters: a state belongs before its position. A position that
   * has to be verified, or one of another epoch, says nothing about the entries here. A hole comes before the reading,
   * which would pass it unnoticed. The ring comes before the log: it costs nothing, and only it leads to the head.
   */
  #step(slice: Slice): boolean {
    const subscription = this.#subscription;
    const { live, closed, stream, context } = subscription;
    if (this.#isWaiting || live || closed || stream.full) return false;
    if (this.#transfer !== null) return this.#continueTransfer(this.#transfer, slice);
    const { feed } = context;
    const { ring } = feed;
    if (subscription.anchor !== null) return this.#recover(this.#recovery.verify(subscription.anchor));
    if (subscription.epoch !== ring.epoch) {
      // A position in a log that the tail has not reached yet waits for the tail.
      return feed.isPastEpoch(subscription.epoch) && this.#recover(this.#recovery.reset());
    }
    const hole = feed.holeAfter(subscription.offset);
    if (hole !== undefined && subscription.offset >= hole.from - 1) {
      return this.#recover(this.#recovery.skipHole(hole));
    }
    if (subscription.offset >= ring.floor) return this.#readRing(slice);
    return this.#readPage(slice, (hole?.from ?? Number.POSITIVE_INFINITY) - 1);
  }

  /** Until the state is complete the position stays where it is, so a client that is cut off starts over with it. */
  #continueTransfer(transfer: StateTransfer, slice: Slice): boolean {
    const outcome = transfer.step(slice);
    if (outcome === "full") return false;
    if (outcome === "done") this.#transfer = null;
    return typeof outcome === "string" || this.#wait(outcome);
  }

  /** Sends the entries of the ring. Reaching the head and becoming live is one step: no entry can arrive in between. */
  #readRing(slice: Slice): boolean {
    const subscription = this.#subscription;
    const { feed, counters } = subscription.context;
    const { ring } = feed;
    while (subscription.offset < ring.top) {
      const item = ring.at(subscription.offset + 1) as RingEntry;
      const { entry, superseded } = item;
      const isSelected = this.#selects(entry.channel);
      if (isSelected && superseded && subscription.conflates) counters.conflated++;
      else if (isSelected) {
        const blocker = this.#trySend(item);
        if (blocker !== null) return this.#overcome(blocker, entry);
      }
      this.#pass(entry);
      if (slice.isOver(isSelected ? sendUnits : 1)) return true;
    }
    subscription.reachHead();
    return false;
  }

  /**
   * Sends the entries of a page of the log, as far as the ring has come: past its top, the tail is in charge. A page that was
   * read in part, by this reader or for another one, counts its superseded entries for no reader: the number is a statistic.
   *
   * @param end Where a hole begins.
   */
  #readPage(slice: Slice, end: number): boolean {
    const subscription = this.#subscription;
    const { feed, counters } = subscription.context;
    const page = this.#pages.at(subscription.offset);
    if (page === undefined) return this.#wait(this.#loadPage());
    if (page.trimmed > subscription.offset) return this.#recover(this.#recovery.skipTrimmed(page.trimmed));
    // Entries past the ring's top will arrive through the tail.
    const last = Math.min(page.through, feed.ring.top, end);
    const isWhole = subscription.offset === page.after;
    for (let index = page.indexAfter(subscription.offset); index < page.items.length; index++) {
      const item = page.items[index] as PageItem;
      if (item.entry.offset > last) break;
      const blocker = this.#trySend(item);
      if (blocker !== null) return this.#overcome(blocker, item.entry);
      this.#pass(item.entry);
      if (slice.isOver(sendUnits)) return true;
    }
    if (isWhole) counters.conflated += page.conflated;
    subscription.offset = last;
    return true;
  }

  /**
   * Reads the next page, and judges it: the log may have been replaced, or cut, since the position was verified. A page that
   * does not continue the position is never sent from; the position is verified again first.
   */
  async #loadPage(): Promise<void> {
    const subscription = this.#subscription;
    const { feed } = subscription.context;
    const { offset } = subscription;
    const witness = this.#witnessAt(offset);
    const page = await this.#pages.load(offset, witness);
    const isOfThisLog = subscription.epoch === feed.ring.epoch && subscription.epoch === page.epoch;
    if (isOfThisLog && page.isVerified && page.through > offset) return;
    this.#pages.release();
    if (subscription.closed || subscription.epoch !== feed.ring.epoch) return;
    if (!isOfThisLog) this.#transfer = await this.#recovery.reset();
    // The page may be of a log that has taken the place of the one that the client knows.
    else if (!page.isVerified) {
      const { epoch, head } = feed.ring;
      subscription.anchor ??= witness === undefined ? head : { epoch, offset, witness };
    }
    // The log has less than it had: asked again, it would say the same.
    else subscription.stream.close("reset");
  }

  /** Sends an entry if it is for this client, or returns the reason why that cannot be decided or done now. */
  #trySend(item: RingEntry | PageItem): Blocker | null {
    const subscription = this.#subscription;
    const { entry } = item;
    if (subscription.closed || subscription.stream.full) return "full";
    const allowed = subscription.permissions.cached(entry.channel);
    if (allowed === undefined) return "unchecked";
    if (!allowed) return null;
    if (!subscription.wants(entry)) return subscription.closed ? "full" : null;
    if (entry.type === clearType) {
      declareCleared(subscription, entry);
      return null;
    }
    if (this.#replayed >= this.#maxReplay) return "limit";
    subscription.sendEntry(item);
    this.#replayed++;
    return null;
  }

  /** Waits for what the entry needs. For room it need not wait: the sink says when it drains. */
  #overcome(blocker: Blocker, entry: LogEntry): boolean {
    if (blocker === "unchecked") return this.#wait(checkPermission(this.#subscription, entry.channel));
    return blocker === "limit" && this.#recover(this.#recovery.skipToPresent());
  }

  /** The entry was sent, or is not for this client. Its witness proves the position when the next page is read. */
  #pass({ offset, witness }: LogEntry): void {
    this.#subscription.offset = offset;
    this.#passed.offset = offset;
    this.#passed.witness = witness;
  }

  /** The witness of the entry at an offset, where it is known. */
  #witnessAt(offset: number): number | undefined {
    const { movedTo, context } = this.#subscription;
    if (this.#passed.offset === offset) return this.#passed.witness;
    return movedTo?.offset === offset ? movedTo.witness : context.feed.ring.witnessAt(offset);
  }

  /** Puts the state that takes the place of lost entries before everything else. */
  #recover(work: StateTransfer | null | Promise<StateTransfer | null>): false {
    const take = async (): Promise<void> => {
      this.#transfer = await work;
    };
    return this.#wait(take());
  }

  /** Does nothing more until something is settled, and then asks for a turn: `schedule` ignored all calls in between. */
  #wait(work: Promise<void>): false {
    this.#isWaiting = true;
    const goOn = (): void => {
      this.#isWaiting = false;
      this.schedule();
      if (this.#isStopped) this.#rest();
    };
    work.then(goOn, (error) => {
      if (!this.#subscription.closed) this.#subscription.fail(error, "replay");
      goOn();
    });
    return false;
  }

  /** Lets go of pages while it waits. */
  #rest(): void {
    this.#pages.release();
    if (this.#isStopped) this.#transfer?.stop();
    else this.#transfer?.release();
  }
}

/** Why an entry could not be sent: no room, permission not checked yet, or enough has been replayed. */
type Blocker = "full" | "unchecked" | "limit";
