import { now } from "../../clock.ts";
import type { Frame } from "../../frame.ts";
import { type Follower, friend } from "../../friend.ts";
import type { LogEntry, Selection } from "../../logs/log.ts";
import type { RequestLike } from "../../request.ts";
import type { EventSource } from "../../source.ts";
import type { Admitted } from "../admission/admission.ts";
import type { Permissions } from "../admission/permissions.ts";
import type { Cursor } from "../cursor.ts";
import type { Audience, Subscriber } from "../feed/audience.ts";
import type { Feed } from "../feed/feed.ts";
import { frameOfEntry, type RingEntry } from "../feed/ring.ts";
import type { FailureStage, SubscribeOptions } from "../options.ts";
import type { HubSettings } from "../settings.ts";
import type { Counters } from "../stats.ts";
import type { Checkpoints, Newcomer } from "./checkpoints.ts";

/** What a subscription needs of its hub. */
export interface SubscriptionContext extends Pick<HubSettings, "limits" | "onError" | "onGap" | "snapshot"> {
  readonly feed: Feed;
  readonly audience: Audience<Subscription>;
  readonly checkpoints: Checkpoints;
  readonly counters: Counters;
}

/** What brings a subscription to the head: a {@link Pump}. */
export interface CatchUp {
  /** Called whenever there may be something to be done. */
  run(): void;
}

/**
 * One connection's place in the log, and what it was told. It has no queue: live, it is at the head by definition and takes
 * what comes; behind, it has a position from which a {@link Pump} brings it to the head.
 */
export class Subscription implements Subscriber, Follower, Newcomer {
  readonly source: EventSource;
  readonly request: RequestLike;
  readonly selection: Selection;
  readonly options: SubscribeOptions;
  readonly permissions: Permissions;
  readonly context: SubscriptionContext;
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
  #catchUp: CatchUp | null = null;
  readonly #ended = new Set<string>();

  constructor({ source, request, selection, options, permissions }: Admitted, context: SubscriptionContext) {
    this.source = source;
    this.request = request;
    this.selection = selection;
    this.options = options;
    this.permissions = permissions;
    this.context = context;
  }

  get key(): string | undefined {
    return this.options.key;
  }

  get closed(): boolean {
    return this.source.closeReason !== null;
  }

  /** True when all its channels have ended. Of a prefix that is never known. */
  get allEnded(): boolean {
    const { channels, prefixes } = this.selection;
    return prefixes.length === 0 && channels.every((name) => this.#ended.has(name));
  }

  /** Follows the log from now on. */
  start(catchUp: CatchUp): void {
    const { feed, audience } = this.context;
    this.#catchUp = catchUp;
    this.position = feed.ring.top;
    audience.join(this);
    friend.follow(this.source, this);
    catchUp.run();
  }

  deliver({ entry, frame }: RingEntry): void {
    if (!this.live || entry.offset <= this.position) return;
    const allowed = this.permissions.of(entry.channel);
    if (allowed === undefined || friend.isFull(this.source)) {
      this.fallBehind(entry.offset - 1);
      return;
    }
    this.position = entry.offset;
    if (allowed && this.wants(entry)) this.send(entry, frame);
  }

  fallBehind(position: number): void {
    if (this.live) this.#lag(Math.max(position, this.position));
  }

  /** The log is another one than before. What that means for the position is found out on the way to the head. */
  restart(): void {
    const { feed } = this.context;
    const waits = this.epoch !== "" && this.epoch !== feed.ring.epoch && !feed.isPast(this.epoch);
    // The tail may have left out what it waits for, an epoch in which nothing was. Its client comes back and finds out.
    if (waits) this.source.close("reset");
    else this.#lag(this.position);
  }

  /** It is where the log is: what comes in is sent at once. */
  reachHead(): void {
    this.live = true;
    this.context.audience.lagging.delete(this);
  }

  /** Puts it behind an entry. For those who bring it to the head and go on from there. */
  moveTo(position: Cursor): void {
    this.position = position.offset;
    this.epoch = position.epoch;
    this.context.audience.expect(this, position);
  }

  /** Sends an entry. Its frame is made here where there is none yet: of what is not sent none is needed. */
  send(entry: LogEntry, frame: Frame = frameOfEntry(this.epoch, entry)): void {
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

  /** Whether an entry that it may see is one that this client gets. */
  wants(entry: LogEntry): boolean {
    const { filter, sender } = this.options;
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

  /** Ends the stream because something failed. The client comes back with its cursor, and nothing is lost. */
  fail(error: unknown, stage: FailureStage): void {
    this.context.onError(error, { stage });
    this.source.close("error");
  }

  onDrain(): void {
    if (this.live) return;
    this.lastProgress = now();
    this.#catchUp?.run();
  }

  onClose(): void {
    this.context.audience.leave(this);
    this.onLeave();
  }

  /** A quiet client hears where the head is, so that it asks for nothing that was not for it when it comes back. */
  heartbeat(): Frame | null {
    const { feed, checkpoints } = this.context;
    if (!this.live || feed.ring.top <= this.told) return null;
    this.told = feed.ring.top;
    return checkpoints.atHead();
  }

  /** A newcomer is told its position even if nothing has come for it. */
  greet(): void {
    const frame = this.closed || this.told !== -1 ? null : this.heartbeat();
    if (frame !== null) this.tell(frame);
  }

  #lag(position: number): void {
    this.live = false;
    this.lastProgress = now();
    this.position = position;
    this.context.audience.lagging.add(this);
    this.#catchUp?.run();
  }
}
