import { now } from "../clock.ts";
import type { Frame } from "../frame.ts";
import { type Follower, friend } from "../friend.ts";
import { type LogEntry, type Selection, selects } from "../logs/log.ts";
import type { RequestLike } from "../request.ts";
import type { EventSource } from "../source.ts";
import { begin } from "./begin.ts";
import { formatCursor } from "./cursor.ts";
import type { Feed } from "./feed.ts";
import { declareGap } from "./loss.ts";
import type { FailureStage, HubOptions, OnError, SubscribeOptions } from "./options.ts";
import type { Permissions } from "./permissions.ts";
import { frameOfEntry, type RingEntry } from "./ring.ts";
import type { Counters } from "./stats.ts";

/** What a subscription needs of its hub. */
export interface SubscriptionContext {
  readonly feed: Feed;
  readonly counters: Counters;
  readonly onError: OnError;
  readonly onGap: HubOptions["onGap"];
  readonly snapshot: HubOptions["snapshot"];
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
  /** Everything up to here was sent, declared, or not for this subscription. At the head it may be older than that. */
  position = 0;
  /** False while it is behind the head. */
  live = false;
  /** When it last got on, while it is behind. */
  lastProgress = 0;
  /** Entries sent since it fell behind. */
  replayed = 0;
  /** The offset of the last position that the client was told; -1 before the first. */
  told = -1;
  /** When it is to end, in the time of `now()`. */
  expires: number = Number.POSITIVE_INFINITY;
  /** When its permissions were last asked for. */
  lastAsked: number = now();
  /** Called once when it is over. */
  onLeave: () => void = () => {};
  #pumping = false;
  #beginning = true;
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
  }

  get closed(): boolean {
    return this.source.closeReason !== null;
  }

  /** Finds the place to begin at, then follows the log from there. */
  start(): void {
    const { feed } = this.context;
    feed.subscriptions.add(this);
    feed.topics.add(this, this.selection);
    friend.follow(this.source, this);
    this.#begin(this.source.lastEventId);
  }

  /** The log is another one than before: what the client has does not fit it. */
  restart(): void {
    if (this.#beginning) return;
    this.live = false;
    this.#begin(formatCursor("-", 0, 0));
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
    this.follow(Math.max(position, this.position));
  }

  /** Follows the log from `position`. */
  follow(position: number): void {
    this.position = position;
    this.#beginning = false;
    this.lastProgress = now();
    this.replayed = 0;
    this.context.feed.lagging.add(this);
    this.#pump();
  }

  /** Sends an entry's frame. */
  send(frame: Frame, entry: LogEntry): void {
    friend.write(this.source, frame);
    this.told = entry.offset;
    this.context.counters.deliveries++;
    this.context.counters.bytes += frame.byteLength;
    if (entry.type === "sse:end") this.#channelEnded(entry.channel);
  }

  /** Sends a frame that is no entry; `position` is the one that it tells the client, if it does. */
  tell(frame: Frame, position?: number): void {
    friend.write(this.source, frame);
    if (position !== undefined) this.told = position;
  }

  onDrain(): void {
    if (this.live || this.#beginning) return;
    this.lastProgress = now();
    this.#pump();
  }

  onClose(): void {
    const { feed } = this.context;
    feed.subscriptions.delete(this);
    feed.lagging.delete(this);
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

  #begin(lastEventId: string): void {
    this.#beginning = true;
    begin(this, lastEventId).catch((error) => {
      if (!this.closed) this.fail(error, "replay");
    });
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.live && !this.#beginning && !this.closed && !friend.isFull(this.source)) await this.#step();
    } catch (error) {
      if (!this.closed) this.fail(error, "replay");
    } finally {
      this.#pumping = false;
    }
  }

  /** Reads on, from the ring in one go where it reaches back far enough. Waits only where something has to be asked for. */
  #step(): Promise<void> | undefined {
    const { feed, maxReplay } = this.context;
    if (this.replayed >= maxReplay && this.position < feed.ring.top) return declareGap(this, feed.ring.top, "limit");
    if (this.position < feed.ring.floor) return this.#readLog();
    const unknown = this.#readRing();
    return unknown === null ? undefined : this.permissions.ask(unknown);
  }

  /** Sends what the ring has behind the position. Returns a channel that is to be asked for before it goes on. */
  #readRing(): string | null {
    const { ring, lagging } = this.context.feed;
    while (this.position < ring.top) {
      const { entry, frame, superseded } = ring.at(this.position + 1) as RingEntry;
      if (selects(this.selection, entry.channel)) {
        if (superseded) this.context.counters.conflated++;
        else if (this.permissions.of(entry.channel) === undefined) return entry.channel;
        else if (!this.#replay(frame, entry)) return null;
      }
      this.position = entry.offset;
    }
    this.live = true;
    lagging.delete(this);
    return null;
  }

  async #readLog(): Promise<void> {
    const { feed, counters } = this.context;
    const { position } = this;
    const page = await feed.log.read(position, pageSize, this.selection);
    // Somebody else may have set it somewhere else meanwhile: what was read does not follow on it then.
    if (this.closed || this.#beginning || this.position !== position) return;
    const { epoch } = feed.ring;
    if (page.epoch !== epoch) return this.source.close("reset");
    if (page.trimmed > this.position) return declareGap(this, page.trimmed, "trimmed");
    for (const entry of page.entries) {
      if (this.permissions.of(entry.channel) === undefined) await this.permissions.ask(entry.channel);
      if (this.closed || this.#beginning || !this.#replay(frameOfEntry(epoch, entry), entry)) return;
      this.position = entry.offset;
    }
    this.position = Math.max(this.position, page.through);
    counters.conflated += page.conflated;
  }

  /** Sends an entry that the client missed; false when it has to wait for the client to read. */
  #replay(frame: Frame, entry: LogEntry): boolean {
    if (friend.isFull(this.source) || this.replayed >= this.context.maxReplay) return false;
    if (this.isFor(entry)) {
      this.send(frame, entry);
      this.replayed++;
    }
    return !this.closed;
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

  /** The end of a channel that came before this client. */
  endOf(entry: LogEntry): void {
    this.send(frameOfEntry(this.context.feed.ring.epoch, entry), entry);
  }

  /** When every channel has ended there is nothing more to come. */
  #channelEnded(channel: string): void {
    this.#ended.add(channel);
    const { channels, prefixes } = this.selection;
    if (prefixes.length === 0 && channels.every((name) => this.#ended.has(name))) this.source.close("ended");
  }
}
