// The subscriptions of this process, and the way of each entry to those that follow its channel.
import type { ChannelSelection, Position } from "../../log/log.ts";
import type { Stream } from "../../source/stream.ts";
import { ChannelIndex } from "./channel-index.ts";
import type { Discontinuity, FeedObserver } from "./feed.ts";
import type { FrameRing, RingEntry } from "./frame-ring.ts";

/**
 * All subscriptions, found by channel and by key. A live one is in `all` alone, one that lags in `lagging`, too. So the
 * periodic check for stalled readers costs nothing for the live ones, which are nearly all.
 */
export class Subscribers<S extends Subscriber> implements FeedObserver {
  readonly all: Set<S> = new Set();
  /** The subscriptions that are behind the head. */
  readonly lagging: Set<S> = new Set();
  readonly channels: ChannelIndex<Receiver> = new ChannelIndex();
  readonly #ring: FrameRing;
  readonly #byKey = new Map<string, Set<S>>();
  /** Positions that the tail has not reached yet. The entry that it finds there must be the one that the client has. */
  readonly #expected = new Map<S, Position>();

  constructor(ring: FrameRing) {
    this.#ring = ring;
  }

  /** Adds a subscription. It is neither live nor lags until its position has been found, in the same tick. */
  join(subscriber: S): void {
    const { selection, key } = subscriber;
    this.all.add(subscriber);
    this.channels.add(subscriber, selection);
    if (key === undefined) return;
    const ofKey = this.#byKey.get(key);
    if (ofKey === undefined) this.#byKey.set(key, new Set([subscriber]));
    else ofKey.add(subscriber);
  }

  leave(subscriber: S): void {
    const { selection, key } = subscriber;
    this.all.delete(subscriber);
    this.lagging.delete(subscriber);
    this.#expected.delete(subscriber);
    this.channels.delete(subscriber, selection);
    if (key === undefined) return;
    const ofKey = this.#byKey.get(key);
    if (ofKey?.delete(subscriber) && ofKey.size === 0) this.#byKey.delete(key);
  }

  /** The connections of one user, or of whatever else the key stands for. */
  ofKey(key: string): S[] {
    return [...(this.#byKey.get(key) ?? [])];
  }

  /**
   * Checks a client's position against the entries that the tail has delivered, now or when it reaches the position. The log
   * may have lost the entry since the client's position was located.
   *
   * The primary may be ahead of the tail, and so may the position. It then waits in `#expected`, because the tail may
   * find another entry at that offset after a failover. An offset that the ring has dropped is taken as located: the
   * pages of the log that the client reads from there are verified on their own.
   */
  verifyCursor(subscriber: S, position: Position): void {
    const ring = this.#ring;
    this.#expected.delete(subscriber);
    if (subscriber.stream.closeReason !== null) return;
    if (position.epoch !== ring.epoch || position.offset > ring.top) this.#expected.set(subscriber, position);
    else if ((ring.witnessAt(position.offset) ?? position.witness) !== position.witness) {
      subscriber.stream.close("reset");
    }
  }

  onEntry(item: RingEntry): void {
    // Before the delivery: a client whose position was rewritten must not receive what follows on it.
    if (this.#expected.size > 0) this.#verifyReached(item);
    this.channels.visit(item.entry.channel, (subscriber) => subscriber.deliver(item));
  }

  onDiscontinuity(how: Discontinuity, last: Position): void {
    for (const subscriber of this.all) {
      // The anchor must not be before the position, and a position that the tail has not reached is past `last`.
      if (how === "gap") subscriber.verifyAgain(this.#expected.get(subscriber) ?? last);
      else if (how === "epoch") subscriber.restart();
      // Clients may have received entries that the log has lost. They reconnect, and their cursors tell.
      else subscriber.stream.close("reset");
    }
  }

  #verifyReached({ entry: { offset, witness } }: RingEntry): void {
    for (const [subscriber, expected] of this.#expected) {
      if (expected.epoch !== this.#ring.epoch || offset < expected.offset) continue;
      this.#expected.delete(subscriber);
      if (offset === expected.offset && witness !== expected.witness) subscriber.stream.close("reset");
    }
  }
}

/** Receives the entries of channels. */
export interface Receiver {
  /** An entry of a followed channel has arrived at the head. */
  deliver(item: RingEntry): void;
}

/** A subscription, as the feed sees it. */
export interface Subscriber extends Receiver {
  readonly stream: Stream;
  readonly selection: ChannelSelection;
  readonly key: string | undefined;
  /** Entries after its position may be missing. `anchor`, at or after that position, was in the log before. */
  verifyAgain(anchor: Position): void;
  /** The log was replaced. */
  restart(): void;
}
