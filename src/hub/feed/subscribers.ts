import type { ChannelSelection, Position } from "../../log/log.ts";
import type { Stream } from "../../source/stream.ts";
import { ChannelIndex } from "./channel-index.ts";
import type { Discontinuity, FeedObserver } from "./feed.ts";
import type { FrameRing, RingEntry } from "./frame-ring.ts";

/** One of the audience, as it is seen from where entries come in. */
export interface Subscriber {
  readonly stream: Stream;
  readonly selection: ChannelSelection;
  /** Whose connection it is. */
  readonly key: string | undefined;
  /** An entry of a followed channel has come in at the head. */
  deliver(item: RingEntry): void;
  /** From here on entries are read from `position`, until the head is reached again. */
  fallBehind(position: number): void;
  /** The log is another one than before. */
  restart(): void;
}

/** Everyone who follows channels in this process, and each entry's way to those whose channel it is. */
export class Subscribers<S extends Subscriber> implements FeedObserver {
  readonly all: Set<S> = new Set();
  /** Those who are behind the head. */
  readonly lagging: Set<S> = new Set();
  readonly channels: ChannelIndex<S> = new ChannelIndex();
  readonly #ring: FrameRing;
  readonly #byKey = new Map<string, Set<S>>();
  /** Those who came with a position to which the tail has not come yet, and which entry it is to find there. */
  readonly #unverified = new Map<S, Position>();

  constructor(ring: FrameRing) {
    this.#ring = ring;
  }

  /** Takes in a newcomer, who is behind the head until it is found out where it stands. */
  join(subscriber: S): void {
    const { selection, key } = subscriber;
    this.all.add(subscriber);
    this.lagging.add(subscriber);
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
    this.#unverified.delete(subscriber);
    this.channels.delete(subscriber, selection);
    if (key === undefined) return;
    const ofKey = this.#byKey.get(key);
    if (ofKey?.delete(subscriber) && ofKey.size === 0) this.#byKey.delete(key);
  }

  /** The connections of one user, or whatever the key stands for. */
  ofKey(key: string): S[] {
    return [...(this.#byKey.get(key) ?? [])];
  }

  /** Sees to it that a position is one of this log, at once or when the tail comes to it: it may be lost since it was told. */
  verifyCursor(subscriber: S, position: Position): void {
    const ring = this.#ring;
    this.#unverified.delete(subscriber);
    if (subscriber.stream.closeReason !== null) return;
    if (position.epoch !== ring.epoch || position.offset > ring.top) this.#unverified.set(subscriber, position);
    else if ((ring.witnessAt(position.offset) ?? position.witness) !== position.witness) {
      subscriber.stream.close("reset");
    }
  }

  onEntry(item: RingEntry): void {
    if (this.#unverified.size > 0) this.#verifyReached(item);
    this.channels.visit(item.entry.channel, (subscriber) => subscriber.deliver(item));
  }

  onDiscontinuity(how: Discontinuity, top: number): void {
    for (const subscriber of this.all) {
      // Those who were at the head find out from the log what is left.
      if (how === "hole") subscriber.fallBehind(top);
      else if (how === "epoch") subscriber.restart();
      // As of a log whose machine was replaced by a copy that lagged. Who is connected may have what was lost: their clients
      // come back, and their cursors tell.
      else subscriber.stream.close("reset");
    }
  }

  #verifyReached({ entry: { offset, witness } }: RingEntry): void {
    for (const [subscriber, expected] of this.#unverified) {
      if (expected.epoch !== this.#ring.epoch || offset < expected.offset) continue;
      this.#unverified.delete(subscriber);
      if (offset === expected.offset && witness !== expected.witness) subscriber.stream.close("reset");
    }
  }
}
