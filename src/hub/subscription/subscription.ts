import { now } from "../../base/clock.ts";
import type { RequestLike } from "../../http/request.ts";
import type { ChannelSelection, LogEntry, Position } from "../../log/log.ts";
import type { Stream, StreamObserver } from "../../source/stream.ts";
import type { Frame } from "../../wire/frame.ts";
import type { Admitted } from "../admission/admission.ts";
import type { Permissions } from "../admission/permissions.ts";
import type { Feed } from "../feed/feed.ts";
import { frameOfEntry, type RingEntry } from "../feed/frame-ring.ts";
import type { Subscriber, Subscribers } from "../feed/subscribers.ts";
import type { FailureStage, SubscribeOptions } from "../options.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";
import type { Counters } from "../stats.ts";
import type { Checkpoints, Newcomer } from "./checkpoints.ts";

/** What a subscription needs of its hub. */
export interface SubscriptionContext
  extends Pick<ResolvedHubOptions, "contract" | "limits" | "onError" | "onLoss" | "snapshot"> {
  readonly feed: Feed;
  readonly audience: Subscribers<Subscription>;
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
export class Subscription implements Subscriber, StreamObserver, Newcomer {
  readonly stream: Stream;
  readonly request: RequestLike;
  readonly selection: ChannelSelection;
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
  #progressMark = -1;
  /** The offset of the last position that the client was told; -1 before the first. */
  announcedOffset = -1;
  /** When it is to end, in the time of `now()`. */
  expires: number = Number.POSITIVE_INFINITY;
  /** When its permissions were last asked for. */
  lastAsked: number = now();
  /** Called once when it is over. */
  onLeave: () => void = () => {};
  #catchUp: CatchUp | null = null;
  readonly #ended = new Set<string>();

  constructor({ stream, request, selection, options, permissions }: Admitted, context: SubscriptionContext) {
    this.stream = stream;
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
    return this.stream.closeReason !== null;
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
    this.stream.observe(this);
    catchUp.run();
  }

  deliver({ entry, frame }: RingEntry): void {
    if (!this.live || entry.offset <= this.position) return;
    const allowed = this.permissions.cached(entry.channel);
    if (allowed === undefined || this.stream.full) {
      this.fallBehind(entry.offset - 1);
      return;
    }
    this.position = entry.offset;
    if (allowed && this.wants(entry)) this.sendEntry(entry, frame);
  }

  fallBehind(position: number): void {
    if (this.live) this.#lag(Math.max(position, this.position));
  }

  /** The log is another one than before. What that means for the position is found out on the way to the head. */
  restart(): void {
    const { feed } = this.context;
    const waits = this.epoch !== "" && this.epoch !== feed.ring.epoch && !feed.isPastEpoch(this.epoch);
    // The tail may have left out what it waits for, an epoch in which nothing was. Its client comes back and finds out.
    if (waits) this.stream.close("reset");
    else this.#lag(this.position);
  }

  /** It is where the log is: what comes in is sent at once. */
  reachHead(): void {
    this.live = true;
    this.context.audience.lagging.delete(this);
  }

  /** Puts it behind an entry. For those who bring it to the head and go on from there. */
  moveTo(position: Position): void {
    this.position = position.offset;
    this.epoch = position.epoch;
    this.context.audience.verifyCursor(this, position);
  }

  /** Sends an entry. Its frame is made here where there is none yet: of what is not sent none is needed. */
  sendEntry(entry: LogEntry, frame: Frame = frameOfEntry(this.epoch, entry)): void {
    this.stream.write(frame);
    this.announcedOffset = entry.offset;
    this.context.counters.deliveries++;
    this.context.counters.bytes += frame.byteLength;
    if (entry.type !== "sse:end") return;
    this.markEnded(entry.channel);
    this.closeIfEnded();
  }

  /** Sends a frame that is no entry; `position` is the one that it tells the client, if it does. */
  sendControl(frame: Frame, position?: number): void {
    this.stream.write(frame);
    if (position !== undefined) this.announcedOffset = position;
  }

  /** Whether an entry that it may see is one that this client gets. */
  wants(entry: LogEntry): boolean {
    const { filter, sender } = this.options;
    if (sender !== undefined && entry.sender === sender) return false;
    if (filter === undefined || entry.type === "sse:end") return true;
    try {
      return this.stream.context.runInAsyncScope(filter, undefined, entry) === true;
    } catch (error) {
      this.fail(error, "filter");
      return false;
    }
  }

  /** The client knows, or is about to hear, that nothing follows on a channel. */
  markEnded(channel: string): void {
    this.#ended.add(channel);
  }

  /** When every channel has ended there is nothing more to come. */
  closeIfEnded(): void {
    if (this.allEnded) this.stream.close("ended");
  }

  /** Ends the stream because something failed. The client comes back with its cursor, and nothing is lost. */
  fail(error: unknown, stage: FailureStage): void {
    this.context.onError(error, { stage });
    this.stream.close("error");
  }

  onDrain(): void {
    if (this.live) return;
    this.lastProgress = now();
    this.#catchUp?.run();
  }

  /** Whether the client has taken bytes since this was last called. Counts as progress at `time`. */
  madeProgress(time: number): boolean {
    const mark = this.stream.sink.progressMark;
    if (mark === this.#progressMark) return false;
    this.#progressMark = mark;
    this.lastProgress = time;
    return true;
  }

  onClose(): void {
    this.context.audience.leave(this);
    this.onLeave();
  }

  /** A quiet client hears where the head is, so that it asks for nothing that was not for it when it comes back. */
  onIdle(): Frame | null {
    const { feed, checkpoints } = this.context;
    if (!this.live || feed.ring.top <= this.announcedOffset) return null;
    this.announcedOffset = feed.ring.top;
    return checkpoints.atHead();
  }

  /** A newcomer is told its position even if nothing has come for it. */
  greet(): void {
    const frame = this.closed || this.announcedOffset !== -1 ? null : this.onIdle();
    if (frame !== null) this.sendControl(frame);
  }

  #lag(position: number): void {
    this.live = false;
    this.lastProgress = now();
    this.position = position;
    this.context.audience.lagging.add(this);
    this.#catchUp?.run();
  }
}
