// One connection's interest in channels, and its position in the log.
import type { RequestLike } from "../../http/request.ts";
import { clearType } from "../../log/cleared.ts";
import type { ChannelSelection, LogEntry, Position } from "../../log/log.ts";
import type { Stream, StreamObserver } from "../../source/stream.ts";
import type { Frame } from "../../wire/frame.ts";
import type { Admitted } from "../admission/admission.ts";
import type { Permissions } from "../admission/permissions.ts";
import type { Slot } from "../admission/slots.ts";
import type { RingEntry, SharedEntry } from "../feed/frame-ring.ts";
import type { Subscriber } from "../feed/subscribers.ts";
import type { FailureStage, SubscribeOptions } from "../options.ts";
import { conflates, selectionKey } from "../selection.ts";
import type { CatchUp } from "./catch-up.ts";
import type { SubscriptionParts } from "./context.ts";
import { EndedChannels } from "./ended-channels.ts";
import { passesFilter } from "./filter.ts";
import { Progress } from "./progress.ts";
import { endInProtocol, Protocol } from "./protocol.ts";
import { anchorAfterMove } from "./recovery.ts";
import type { Starts } from "./starts.ts";

/**
 * A subscription has no queue. While it is live, it is at the head by definition, and sends entries as they arrive. While it
 * lags, it has a position, from which a {@link CatchUp} brings it to the head.
 *
 * Since a live position is the head by definition, an entry of another channel costs this subscription nothing, not even a
 * write to `offset`. The price is that `offset` is out of date while it is live. The first entry that it cannot take
 * restores it: everything before that entry was sent, or is not for this client.
 */
export class Subscription implements Subscriber, StreamObserver {
  readonly stream: Stream;
  readonly request: RequestLike;
  readonly selection: ChannelSelection;
  readonly options: SubscribeOptions;
  /** The channels as its client names them. A revocation takes some away. */
  channels: readonly string[];
  /** Those of them that joined on their own. */
  readonly joining: readonly string[];
  /** Events carry the names of their channels, and each channel can be rejected on its own. */
  readonly isLabeled: boolean;
  /** How the stream reports its own state, if its client does not know the events of a hub. */
  readonly protocol: Protocol | null;
  readonly permissions: Permissions;
  readonly context: SubscriptionContext;
  /** The epoch of the position. */
  epoch = "";
  /** Every entry up to this offset was sent, declared lost, or is not for this client. At the head it may be out of date. */
  offset = 0;
  /** Where its channels begin, as long as it has not reached the higher of two positions. */
  starts: Starts | null = null;
  /** Every entry after this offset is to be sent. */
  owedAfter = 0;
  /** The last position that it was moved to, with its witness. */
  movedTo: Position | null = null;
  /** False while it lags. */
  live = false;
  /** True until it has reached the head for the first time. */
  isCatchingUp = true;
  /** Has to be found in the log again before anything is sent: it is at or after the position, and was there before. */
  anchor: Position | null = null;
  /** The offset of the last position that the client was given; -1 before the first. */
  announcedOffset = -1;
  /** When it is to end, in the time of `now()`. */
  expires: number = Number.POSITIVE_INFINITY;
  /** When its permissions were last checked, where they are from time to time. */
  lastAsked = 0;
  /** Called once when it is over, if its member is present on channels. */
  leavePresence: ((closeReason: string) => void) | null = null;
  readonly #slot: Slot;
  #catchUp: CatchUp | null = null;
  /** Most subscriptions never lag, and most channels never end: these two are made when they are needed. */
  #progress: Progress | null = null;
  #ended: EndedChannels | null = null;

  constructor({ candidate, asked, stream }: Admitted, context: SubscriptionContext) {
    const { exchange, permissions, slot } = candidate;
    const { selection, channels, joining, options } = asked;
    this.stream = stream;
    this.request = exchange.request;
    this.selection = selection;
    this.options = options;
    this.channels = channels;
    this.joining = joining;
    this.isLabeled = options.label === true;
    this.protocol = options.control === undefined ? null : new Protocol(options.control);
    this.permissions = permissions;
    this.#slot = slot;
    this.context = context;
  }

  /** That of its client, while it lags. */
  get progress(): Progress {
    this.#progress ??= new Progress(this.stream.sink);
    return this.#progress;
  }

  get key(): string | undefined {
    return this.options.key;
  }

  get closed(): boolean {
    return this.stream.closeReason !== null;
  }

  /** The same for subscriptions of the same channels. */
  get selectionKey(): string {
    return selectionKey(this.selection);
  }

  /** Whether superseded entries are left out. */
  get conflates(): boolean {
    return conflates(this.options);
  }

  /** True when some of its channels have, or had, ended. */
  get hasEnds(): boolean {
    return this.#ended !== null;
  }

  /** True when all its channels have ended. Of a prefix that is never known. */
  get allEnded(): boolean {
    return this.#ended?.hasAll(this.selection) === true;
  }

  // --- Subscriber ---

  /**
   * Sends an entry, or begins to lag just before it. It must not wait here for room or for a permission, since the tail
   * delivers to all subscriptions in one loop. An entry up to `offset` is one that the client has: its position came from
   * the primary, ahead of the tail.
   */
  deliver(item: RingEntry): void {
    const { entry } = item;
    if (!this.live || entry.offset <= this.offset) return;
    const allowed = this.permissions.cached(entry.channel);
    // A loss is declared where it lags.
    const isLoss = entry.type === clearType && this.context.feed.ring.missesCleared(entry, this.owedAfter);
    if (allowed === undefined || this.stream.full || isLoss) {
      this.#lag(entry.offset - 1);
      return;
    }
    this.offset = entry.offset;
    if (allowed && entry.type !== clearType && this.wants(entry)) this.sendEntry(item);
  }

  verifyAgain(anchor: Position): void {
    // A position in another epoch says nothing about this one, which is about to be reset.
    if (anchor.epoch !== this.epoch) return;
    // A new object: an answer about the old one is out of date.
    this.anchor = { ...(this.anchor ?? anchor) };
    // Live, it had everything up to the anchor, or more if its position was ahead of the tail.
    this.#lag(this.live ? Math.max(anchor.offset, this.offset) : this.offset);
  }

  restart(): void {
    const { feed } = this.context;
    const isWaiting = this.epoch !== "" && this.epoch !== feed.ring.epoch && !feed.isPastEpoch(this.epoch);
    // An epoch in which nothing was published leaves no trace in the tail. The client reconnects and finds out.
    if (isWaiting) this.stream.close("reset");
    else this.#lag(this.offset);
  }

  // --- StreamObserver ---

  /** A live subscription has nothing to catch up on: what it was sent is in the sink already. */
  onDrain(): void {
    if (this.live) return;
    this.progress.note();
    this.#catchUp?.schedule();
  }

  onClose(): void {
    // First of all, so that the pages that it holds are free for other readers.
    this.#catchUp?.stop();
    this.#catchUp = null;
    this.context.subscribers.leave(this);
    this.#slot.release();
    this.leavePresence?.(this.stream.closeReason ?? "closed");
  }

  /** An idle client gets the head as its position, so that it does not ask for other channels' entries when it reconnects. */
  onIdle(): Frame | null {
    const { feed, checkpoints } = this.context;
    if (!this.live || this.protocol !== null || feed.ring.top <= this.announcedOffset) return null;
    this.announcedOffset = feed.ring.top;
    return checkpoints.atHead();
  }

  // --- For the pump and the opening ---

  /** Joins those of its channels. The caller calls {@link reachHead} or {@link follow} in the same tick. */
  start(): void {
    this.context.subscribers.join(this);
    this.stream.observe(this);
  }

  /** Lags, and is brought to the head from now on. */
  follow(catchUp: CatchUp): void {
    this.context.subscribers.lagging.add(this);
    this.#catchUp = catchUp;
  }

  /** From here on, it continues after this position. The caller has declared what that leaves out, or sends it first. */
  moveTo(position: Position): void {
    this.offset = position.offset;
    this.owedAfter = position.offset;
    this.epoch = position.epoch;
    this.movedTo = position;
    this.anchor = anchorAfterMove(this.anchor, position);
    const { starts } = this;
    if (starts !== null && (starts.higher.epoch !== position.epoch || starts.higher.offset <= position.offset)) {
      this.starts = null;
    }
    // The client holds the higher one: it vouches for the lower.
    this.context.subscribers.verifyCursor(this, this.starts?.higher ?? position);
  }

  /**
   * It has reached the head: entries are sent as they arrive. The caller has compared the position with the ring's top in
   * this very tick. With a wait in between, an entry could arrive that is neither read nor delivered.
   */
  reachHead(): void {
    this.live = true;
    this.isCatchingUp = false;
    this.#catchUp = null;
    if (this.starts !== null && this.starts.higher.offset <= this.offset) this.starts = null;
    this.context.subscribers.lagging.delete(this);
  }

  sendEntry(item: SharedEntry): void {
    const { entry } = item;
    const isEnd = entry.type === "sse:end";
    if (isEnd) this.markEnded(entry.channel);
    else this.#ended?.delete(entry.channel);
    const isTranslated = isEnd && this.protocol !== null;
    const frame = isTranslated ? endInProtocol(this, entry) : this.isLabeled ? item.labeled : item.frame;
    if (frame !== null) {
      this.stream.write(frame, this.live && !isTranslated);
      this.announcedOffset = entry.offset;
      this.context.counters.deliveries++;
      this.context.counters.bytes += frame.byteLength;
    }
    if (isEnd) this.closeIfEnded();
  }

  /** @param announced The offset of the position that the frame carries, if it carries one. */
  sendControl(frame: Frame, announced?: number): void {
    this.stream.write(frame);
    if (announced !== undefined) this.announcedOffset = announced;
  }

  /** Gives the client a position, by an event that another protocol has no place for. */
  announce(position: Position): void {
    if (this.protocol === null) this.sendControl(this.context.checkpoints.at(position), position.offset);
  }

  /** Whether an entry that the client may read is for it. */
  wants(entry: LogEntry): boolean {
    return this.starts?.includes(entry) !== true && passesFilter(this, entry);
  }

  /** The client knows, or is about to be told, that a channel has ended. */
  markEnded(channel: string): void {
    this.#ended ??= new EndedChannels();
    this.#ended.add(channel);
  }

  /** Closes after the end of the last channel. A client that reconnects with that position gets 204. */
  closeIfEnded(): void {
    if (this.allEnded) this.stream.close("ended");
  }

  /** Ends the stream because something failed. The client reconnects with its cursor, so nothing is lost. */
  fail(error: unknown, stage: FailureStage): void {
    this.context.onError(error, { stage });
    this.stream.close("error");
  }

  /**
   * From now on it has a position of its own. The stall time counts from here, not from the last time that it lagged. The
   * pump may run in this call, and bring it back to the head at once.
   */
  #lag(offset: number): void {
    if (this.closed) return;
    if (this.live) this.owedAfter = this.context.feed.ring.receivedUpTo(offset, this.owedAfter);
    this.live = false;
    this.progress.note();
    this.offset = offset;
    this.context.subscribers.lagging.add(this);
    this.#catchUp ??= this.context.catchUp(this);
    this.#catchUp.schedule();
  }
}

/** The parts of the hub that a subscription uses. */
export interface SubscriptionContext extends SubscriptionParts<Subscription> {}
