// Brings a subscription to the head: through pages of the log, then through the ring.
import type { LogEntry } from "../../log/log.ts";
import { type ChannelMatcher, compileSelection } from "../../log/selection.ts";
import type { RingEntry } from "../feed/frame-ring.ts";
import { PageReader } from "../feed/page-reader.ts";
import type { RunQuery } from "../feed/run-cache.ts";
import type { PageItem } from "../feed/shared-page.ts";
import type { CatchUp } from "./catch-up.ts";
import { checkPermission } from "./filter.ts";
import { declareGap, declareReset } from "./loss.ts";
import { Recovery } from "./recovery.ts";
import { type Blocker, Replay } from "./replay.ts";
import { type Slice, scheduler, type Task } from "./scheduler.ts";
import type { StateTransfer } from "./state-transfer.ts";
import type { Subscription } from "./subscription.ts";

/** The cost of an entry that is sent, in the units of a {@link Slice}. A skipped one costs 1. */
const sendUnits = 8;
/** That of a run, which may have to be made first: enough for a look at the clock after each. */
const runUnits = 256;

/**
 * Works in steps, whenever the scheduler gives it a turn, and only while the client reads. Everything that takes time
 * happens here, one step after another, and nothing else moves a position that lags.
 */
export class Pump implements CatchUp, Task {
  readonly #subscription: Subscription;
  readonly #selects: ChannelMatcher;
  readonly #runs: RunQuery;
  readonly #replay: Replay;
  // In a storm, the ring has everything that most clients lack: these two are made when they are needed.
  #pageReader: PageReader | null = null;
  #ownRecovery: Recovery<StateTransfer> | null = null;
  /** Where the last page begins whose superseded entries were counted. */
  #counted = -1;
  /** A state that is sent before the position moves on. */
  #transfer: StateTransfer | null = null;
  /** It waits for an answer, of the log or of the application. */
  #isWaiting = false;
  #isStopped = false;

  constructor(subscription: Subscription) {
    const { selection, isLabeled, selectionKey } = subscription;
    this.#subscription = subscription;
    this.#selects = compileSelection(selection);
    this.#runs = { selects: this.#selects, isLabeled, key: `${isLabeled} ${selectionKey}` };
    this.#replay = new Replay(subscription);
  }

  /**
   * Begins in this tick if the opening has decided everything, so that the first events leave with the opening in one
   * write.
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

  /** Releases everything at once: a page that is held here is one that another reader waits for. */
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
    if (outcome === "void") {
      transfer.stop();
      return this.#recover(this.#recovery.reset());
    }
    return typeof outcome === "string" || this.#wait(outcome);
  }

  /** Sends the entries of the ring. Reaching the head and becoming live is one step: no entry can arrive in between. */
  #readRing(slice: Slice): boolean {
    const subscription = this.#subscription;
    const { feed, counters } = subscription.context;
    const { ring } = feed;
    const { takesRuns } = this.#replay;
    while (subscription.offset < ring.top) {
      if (takesRuns && this.#replay.sendRun(subscription.context.runs.after(subscription.offset, this.#runs))) {
        if (slice.isOver(runUnits)) return true;
        continue;
      }
      const item = ring.at(subscription.offset + 1) as RingEntry;
      const { entry, superseded } = item;
      const isSelected = this.#selects(entry.channel);
      if (isSelected && superseded && subscription.conflates) counters.conflated++;
      else if (isSelected) {
        const blocker = this.#replay.send(item);
        if (blocker !== null) return this.#overcome(blocker, entry);
      }
      this.#replay.pass(entry);
      if (slice.isOver(isSelected ? sendUnits : 1)) return true;
    }
    subscription.reachHead();
    return false;
  }

  /**
   * Sends the entries of a page of the log, as far as the ring has come: past its top, the tail is in charge. The superseded
   * entries of a page count for the readers that enter it at its beginning: how many come before an entry is not known.
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
    if (subscription.offset === page.after && page.after !== this.#counted) {
      this.#counted = page.after;
      counters.conflated += page.conflated;
    }
    const { takesRuns } = this.#replay;
    for (let index = page.indexAfter(subscription.offset); index < page.items.length; index++) {
      const item = page.items[index] as PageItem;
      if (item.entry.offset > last) break;
      const run = takesRuns ? page.runFrom(index, subscription.isLabeled) : null;
      if (run !== null && run.last.offset <= last && this.#replay.sendRun(run)) {
        if (slice.isOver(runUnits)) return true;
        index = page.indexAfter(run.last.offset) - 1;
        continue;
      }
      const blocker = this.#replay.send(item);
      if (blocker !== null) return this.#overcome(blocker, item.entry);
      this.#replay.pass(item.entry);
      if (slice.isOver(sendUnits)) return true;
    }
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
    const witness = this.#replay.witnessAt(offset);
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

  /** Waits for what the entry needs. For room it need not wait: the sink says when it drains. */
  #overcome(blocker: Blocker, entry: LogEntry): boolean {
    if (blocker === "unchecked") return this.#wait(checkPermission(this.#subscription, entry.channel));
    return blocker === "limit" && this.#recover(this.#recovery.skipToPresent());
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

  get #pages(): PageReader {
    this.#pageReader ??= openPages(this.#subscription);
    return this.#pageReader;
  }

  get #recovery(): Recovery<StateTransfer> {
    const subscription = this.#subscription;
    this.#ownRecovery ??= new Recovery(subscription, {
      gap: (gap, location) => {
        this.#replay.restart();
        return declareGap(subscription, gap, location);
      },
      reset: (reason, location) => {
        this.#replay.restart();
        return declareReset(subscription, reason, location);
      },
    });
    return this.#ownRecovery;
  }

  /** Releases pages while it waits. */
  #rest(): void {
    this.#pageReader?.release();
    if (this.#isStopped) this.#transfer?.stop();
    else this.#transfer?.release();
  }
}

function openPages({ selection, conflates, context, selectionKey }: Subscription): PageReader {
  const kind = conflates ? "conflated" : "all";
  return new PageReader(context.pages, {
    kind,
    selection,
    upTo: Number.POSITIVE_INFINITY,
    key: `${kind} ${selectionKey}`,
  });
}
