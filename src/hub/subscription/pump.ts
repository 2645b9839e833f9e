import { readLastEventId } from "../../http/request.ts";
import type { Floor, LogEntry } from "../../log/log.ts";
import { selects } from "../../log/selection.ts";
import type { GapReason } from "../../wire/control.ts";
import type { RingEntry } from "../feed/frame-ring.ts";
import { declareGap, declareReset } from "./loss.ts";
import { start } from "./start.ts";
import type { CatchUp, Subscription } from "./subscription.ts";

/** How many entries are asked of the log at a time. */
const pageEntries = 256;
/** How many bytes. */
const pageBytes = 1024 ** 2;

/** Why an entry could not be passed: no room, nobody has asked whether it may be read, or enough has been replayed. */
type Blocker = "full" | "unknown" | "limit";

/**
 * Brings a subscription to the head: from where its client was, and again whenever it has fallen behind. It reads the ring,
 * or pages of the log where the ring has moved past the position, and makes it live in the tick in which it gets there.
 *
 * All that takes time happens here, one thing after the other: nothing else moves a position that is not live.
 */
export class Pump implements CatchUp {
  readonly #subscription: Subscription;
  #begun = false;
  #running = false;
  /** Entries sent since the position was last declared to the client, as long as it has not been at the head. */
  #replayed = 0;
  #maxReplay: number;

  constructor(subscription: Subscription) {
    this.#subscription = subscription;
    this.#maxReplay = subscription.context.limits.maxReplay;
  }

  async run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#canGoOn()) await this.#step();
    } catch (error) {
      if (!this.#subscription.closed) this.#subscription.fail(error, "replay");
    } finally {
      this.#running = false;
    }
  }

  #canGoOn(): boolean {
    const { live, closed, stream, epoch, context } = this.#subscription;
    if (live || closed || stream.full) return false;
    // A position in a log that the tail has not come to yet waits for the tail.
    return !this.#begun || epoch === context.feed.ring.epoch || context.feed.isPastEpoch(epoch);
  }

  /** Waits only where something has to be asked for. */
  #step(): Promise<void> | undefined {
    const subscription = this.#subscription;
    const { ring } = subscription.context.feed;
    if (!this.#begun) {
      this.#begun = true;
      return start(subscription, readLastEventId(subscription.request));
    }
    if (subscription.epoch !== ring.epoch) return this.#reset();
    return subscription.position < ring.floor ? this.#readLog() : this.#readRing();
  }

  /** Sends what the ring has behind the position, in one go. Returns what has to be waited for before it goes on. */
  #readRing(): Promise<void> | undefined {
    const subscription = this.#subscription;
    const { feed, counters } = subscription.context;
    const { ring } = feed;
    while (subscription.position < ring.top) {
      const { entry, frame, superseded } = ring.at(subscription.position + 1) as RingEntry;
      if (superseded && selects(subscription.selection, entry.channel)) counters.conflated++;
      else if (selects(subscription.selection, entry.channel)) {
        const obstacle = this.#trySend(entry, frame);
        if (obstacle !== null) return this.#unblock(obstacle, entry);
      }
      subscription.position = entry.offset;
    }
    subscription.reachHead();
    // Who has been at the head is no reconnecting client any more.
    this.#maxReplay = Number.POSITIVE_INFINITY;
    return undefined;
  }

  async #readLog(): Promise<void> {
    const subscription = this.#subscription;
    const { feed, counters } = subscription.context;
    const { top, witness } = feed.ring;
    const page = await feed.log.read(subscription.position, {
      limit: pageEntries,
      maxBytes: pageBytes,
      selection: subscription.selection,
      conflate: true,
    });
    // What the log has written over a lost tail does not follow on what the tail has brought so far.
    const [present] = await feed.log.witnesses([top]);
    if (present !== undefined && present !== witness) subscription.stream.close("reset");
    // In another log than that of the ring there is no head to get to: the next step finds out.
    if (subscription.closed || subscription.epoch !== feed.ring.epoch) return;
    if (page.epoch !== subscription.epoch) return this.#reset();
    if (page.trimmed > subscription.position) return this.#gap(page.trimmed, "trimmed", page.floor);
    // The ring has what the log has lost: asked again, it would say the same.
    if (page.through <= subscription.position) return void subscription.stream.close("reset");
    for (const entry of page.entries) {
      // What the tail has not come to it brings itself.
      if (entry.offset > feed.ring.top) break;
      let obstacle = this.#trySend(entry);
      if (obstacle === "unknown") {
        await this.#checkPermission(entry.channel);
        if (subscription.epoch !== feed.ring.epoch) return;
        obstacle = this.#trySend(entry);
      }
      if (obstacle !== null) return this.#unblock(obstacle, entry);
      subscription.position = entry.offset;
    }
    subscription.position = Math.max(subscription.position, Math.min(page.through, feed.ring.top));
    counters.conflated += page.conflated;
  }

  /** Sends an entry that the client missed, if it is one for this client; or says what is in the way. */
  #trySend(entry: LogEntry, frame?: RingEntry["frame"]): Blocker | null {
    const subscription = this.#subscription;
    if (subscription.closed || subscription.stream.full) return "full";
    const allowed = subscription.permissions.cached(entry.channel);
    if (allowed === undefined) return "unknown";
    if (!allowed) return null;
    if (!subscription.wants(entry)) return subscription.closed ? "full" : null;
    if (this.#replayed >= this.#maxReplay) return "limit";
    subscription.sendEntry(entry, frame);
    this.#replayed++;
    return null;
  }

  #unblock(obstacle: Blocker, entry: LogEntry): Promise<void> | undefined {
    if (obstacle === "unknown") return this.#checkPermission(entry.channel);
    if (obstacle !== "limit") return undefined;
    const { ring } = this.#subscription.context.feed;
    return this.#gap(ring.top, "limit", { offset: ring.top, witness: ring.witness });
  }

  /** Without an answer the client has to come again: what it may not see and what nobody could tell are not the same. */
  async #checkPermission(channel: string): Promise<void> {
    const { permissions, stream } = this.#subscription;
    if (!(await permissions.check(channel))) stream.close("error");
  }

  #gap(to: number, reason: GapReason, next: Floor): Promise<void> {
    this.#replayed = 0;
    return declareGap(this.#subscription, to, reason, next);
  }

  #reset(): Promise<void> {
    this.#replayed = 0;
    return declareReset(this.#subscription, "epoch");
  }
}
