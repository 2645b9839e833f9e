import { now } from "../clock.ts";
import type { Frame } from "../frame.ts";
import { type Follower, friend } from "../friend.ts";
import { type LogEntry, type Selection, selects } from "../logs/log.ts";
import type { RequestLike } from "../request.ts";
import type { EventSource } from "../source.ts";
import { begin } from "./begin.ts";
import type { Cursor } from "./cursor.ts";
import type { Feed } from "./feed.ts";
import { declareGap, declareReset } from "./loss.ts";
import type { FailureStage, HubOptions, OnError, SubscribeOptions, TakeSnapshot } from "./options.ts";
import type { Permissions } from "./permissions.ts";
import { frameOfEntry, type RingEntry } from "./ring.ts";
import type { Counters } from "./stats.ts";

/** What a subscription needs of its hub. */
export interface SubscriptionContext {
  readonly feed: Feed;
  readonly counters: Counters;
  readonly onError: OnError;
  readonly onGap: HubOptions["onGap"];
  readonly snapshot: TakeSnapshot | undefined;
  readonly maxReplay: number;
}

/** How many entries are asked of the log at a time. */
const pageSize = 256;

/**
 * One connection's place in the log. It has no queue: live, it is at the head by definition and takes what comes; behind, it
 * has a position from which one pump reads the ring, or pages of the log where the ring has moved past it.
 */
export class Subscription implements Follower {
  readonly source: EventSource;
  readonly request: RequestLike;
  readonly selection: Selection;
  readonly options: SubscribeOptions;
  readonly context: SubscriptionContext;
  readonly permissions: Permissions;
  /** The incarnation of the log that the position belongs to. */
  epoch = "";
  /** Everything up to here was sent, declared, or not for this subscription. At the head it may be older than that. */
  position = 0;
  /** False while it is behind the head. */
  live = false;
  /** When it last got on, while it is behind. */
  lastProgress: number = now();
  /** The offset of the last position that the client was told; -1 before the first. */
  told = -1;
  /** When it is to end, in the time of `now()`. */
  expires: number = Number.POSITIVE_INFINITY;
  /** When its permissions were last asked for. */
  lastAsked: number = now();
  /** Called once when it is over. */
  onLeave: () => void = () => {};
  #begun = false;
  #pumping = false;
  /** Entries sent from where it began, as long as it has not been at the head. */
  #replayed = 0;
  #maxReplay: number;
  readonly #ended = new Set<string>();

  constructor(
    source: EventSource,
    request: RequestLike,
    selection: Selection,
    options: SubscribeOptions,
    permissions: Permissions,
    context: SubscriptionContext,
  ) {
    this.source = source;
    this.request = request;
    this.selection = selection;
    this.options = options;
    this.permissions = permissions;
    this.context = context;
    this.#maxReplay = context.maxReplay;
  }

  get closed(): boolean {
    return this.source.closeReason !== null;
  }

  /** True when all its channels have ended. Of a prefix that is never known. */
  get allEnded(): boolean {
    const { channels, prefixes } = this.selection;
    return prefixes.length === 0 && channels.every((name) => this.#ended.has(name));
  }

  /** Finds the place to begin at, then follows the log from there. */
  start(): void {
    const { feed } = this.context;
    this.position = feed.ring.top;
    feed.subscriptions.add(this);
    feed.lagging.add(this);
    feed.topics.add(this, this.selection);
    friend.follow(this.source, this);
    this.#pump();
  }

  /** The log is another one than before. The pump finds out what that means for the position. */
  restart(): void {
    const { feed } = this.context;
    const waits = this.epoch !== "" && this.epoch !== feed.ring.epoch && !feed.isPast(this.epoch);
    // The tail may have left out what it waits for, an epoch in which nothing was. Its client comes back and finds out.
    if (waits) return void this.source.close("reset");
    this.live = false;
    this.lastProgress = now();
    feed.lagging.add(this);
    this.#pump();
  }

  /** An entry of a followed channel has come in at the head. */
  deliver(item: RingEntry): void {
    const { entry } = item;
    if (!this.live || entry.offset <= this.position) return;
    if (friend.isFull(this.source) || this.permissions.of(entry.channel) === undefined) {
      this.fallBehind(entry.offset - 1);
      return;
    }
    this.position = entry.offset;
    if (this.isFor(entry)) this.send(item.frame, entry);
  }

  /** From here on entries are read from `position`, until the head is reached again. */
  fallBehind(position: number): void {
    if (!this.live) return;
    this.live = false;
    this.lastProgress = now();
    this.position = Math.max(position, this.position);
    this.context.feed.lagging.add(this);
    this.#pump();
  }

  /** Puts it behind an entry. For those who are called by the pump, which goes on from there. */
  moveTo(position: Cursor): void {
    this.position = position.offset;
    this.epoch = position.epoch;
    this.#replayed = 0;
    this.context.feed.expect(this, position);
  }

  /** Sends an entry's frame. */
  send(frame: Frame, entry: LogEntry): void {
    friend.write(this.source, frame);
    this.told = entry.offset;
    this.context.counters.deliveries++;
    this.context.counters.bytes += frame.byteLength;
    if (entry.type !== "sse:end") return;
    this.hasEnded(entry.channel);
    this.closeIfEnded();
  }

  /** Sends a frame that is no entry; `position` is the one that it tells the client, if it does. */
  tell(frame: Frame, position?: number): void {
    friend.write(this.source, frame);
    if (position !== undefined) this.told = position;
  }

  onDrain(): void {
    if (this.live) return;
    this.lastProgress = now();
    this.#pump();
  }

  onClose(): void {
    const { feed } = this.context;
    feed.subscriptions.delete(this);
    feed.lagging.delete(this);
    feed.ahead.delete(this);
    feed.topics.delete(this, this.selection);
    this.onLeave();
  }

  /** A quiet client hears where the head is, so that it asks for nothing that was not for it when it comes back. */
  heartbeat(): Frame | null {
    const { feed } = this.context;
    if (!this.live || feed.ring.top <= this.told) return null;
    this.told = feed.ring.top;
    return feed.checkpoint();
  }

  /** Ends the stream because something failed. The client comes back with its cursor, and nothing is lost. */
  fail(error: unknown, stage: FailureStage): void {
    this.context.onError(error, { stage });
    this.source.close("error");
  }

  /** All that takes time happens here, one thing after the other: nothing else moves a position that is not live. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#canGoOn()) await this.#step();
    } catch (error) {
      if (!this.closed) this.fail(error, "replay");
    } finally {
      this.#pumping = false;
    }
  }

  #canGoOn(): boolean {
    if (this.live || this.closed || friend.isFull(this.source)) return false;
    const { feed } = this.context;
    // A position in a log that the tail has not come to yet waits for the tail.
    return !this.#begun || this.epoch === feed.ring.epoch || feed.isPast(this.epoch);
  }

  /** Reads on, from the ring in one go where it reaches back far enough. Waits only where something has to be asked for. */
  #step(): Promise<void> | undefined {
    const { ring } = this.context.feed;
    if (!this.#begun) {
      this.#begun = true;
      return begin(this, this.source.lastEventId);
    }
    if (this.epoch !== ring.epoch) return declareReset(this, "epoch");
    return this.position < ring.floor ? this.#readLog() : this.#readRing();
  }

  /** Sends what the ring has behind the position. Returns what has to be waited for before it goes on. */
  #readRing(): Promise<void> | undefined {
    const { ring, lagging } = this.context.feed;
    while (this.position < ring.top) {
      const { entry, frame, superseded } = ring.at(this.position + 1) as RingEntry;
      if (superseded && selects(this.selection, entry.channel)) this.context.counters.conflated++;
      else if (selects(this.selection, entry.channel)) {
        const outcome = this.#replay(frame, entry);
        if (outcome !== "passed") return this.#overcome(outcome, entry);
      }
      this.position = entry.offset;
    }
    this.live = true;
    // Who has been at the head is no reconnecting client any more.
    this.#maxReplay = Number.POSITIVE_INFINITY;
    lagging.delete(this);
    return undefined;
  }

  async #readLog(): Promise<void> {
    const { feed, counters } = this.context;
    const { top, witness } = feed.ring;
    const page = await feed.log.read(this.position, pageSize, this.selection);
    // What the log has written over a lost tail does not follow on what the tail has brought so far.
    const present = await feed.log.witness(top);
    if (present !== undefined && witness !== 0 && present !== witness) this.source.close("reset");
    // In another log than that of the ring there is no head to get to: the next step finds out.
    if (this.closed || this.epoch !== feed.ring.epoch) return;
    if (page.epoch !== this.epoch) return declareReset(this, "epoch");
    if (page.trimmed > this.position) return declareGap(this, page.trimmed, "trimmed");
    // The ring has what the log has lost: asked again, it would say the same.
    if (page.through <= this.position) return void this.source.close("reset");
    for (const entry of page.entries) {
      // What the tail has not come to it brings itself.
      if (entry.offset > feed.ring.top) break;
      const frame = frameOfEntry(page.epoch, entry);
      let outcome = this.#replay(frame, entry);
      if (outcome === "unknown") {
        await this.#ask(entry.channel);
        if (this.epoch !== feed.ring.epoch) return;
        outcome = this.#replay(frame, entry);
      }
      if (outcome !== "passed") return this.#overcome(outcome, entry);
      this.position = entry.offset;
    }
    this.position = Math.max(this.position, Math.min(page.through, feed.ring.top));
    counters.conflated += page.conflated;
  }

  /** Sends an entry that the client missed, if it is one for this client; or says what is in the way. */
  #replay(frame: Frame, entry: LogEntry): "passed" | "full" | "unknown" | "limit" {
    if (this.closed || friend.isFull(this.source)) return "full";
    if (this.permissions.of(entry.channel) === undefined) return "unknown";
    if (!this.isFor(entry)) return this.closed ? "full" : "passed";
    if (this.#replayed >= this.#maxReplay) return "limit";
    this.send(frame, entry);
    this.#replayed++;
    return "passed";
  }

  #overcome(obstacle: "full" | "unknown" | "limit", entry: LogEntry): Promise<void> | undefined {
    if (obstacle === "unknown") return this.#ask(entry.channel);
    if (obstacle !== "limit") return undefined;
    const { ring } = this.context.feed;
    return declareGap(this, ring.top, "limit", ring.witness);
  }

  /** Without an answer the client has to come again: what it may not see and what nobody could tell are not the same. */
  async #ask(channel: string): Promise<void> {
    if (!(await this.permissions.ask(channel))) this.source.close("error");
  }

  /** Whether an entry is one that this client gets. */
  isFor(entry: LogEntry): boolean {
    const { filter, sender } = this.options;
    if (this.permissions.of(entry.channel) !== true) return false;
    if (sender !== undefined && entry.sender === sender) return false;
    if (filter === undefined || entry.type === "sse:end") return true;
    try {
      return filter(entry) === true;
    } catch (error) {
      this.fail(error, "filter");
      return false;
    }
  }

  /** The client knows, or is about to hear, that nothing follows on a channel. */
  hasEnded(channel: string): void {
    this.#ended.add(channel);
  }

  /** When every channel has ended there is nothing more to come. */
  closeIfEnded(): void {
    if (this.allEnded) this.source.close("ended");
  }
}
