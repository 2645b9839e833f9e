import type { Selection } from "../../logs/log.ts";
import type { EventSource } from "../../source.ts";
import type { Cursor } from "../cursor.ts";
import type { Break, Observer } from "./feed.ts";
import type { Ring, RingEntry } from "./ring.ts";
import { Topics } from "./topics.ts";

/** One of the audience, as it is seen from where entries come in. */
export interface Subscriber {
  readonly source: EventSource;
  readonly selection: Selection;
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
export class Audience<S extends Subscriber> implements Observer {
  readonly all: Set<S> = new Set();
  /** Those who are behind the head. */
  readonly lagging: Set<S> = new Set();
  readonly topics: Topics<S> = new Topics();
  readonly #ring: Ring;
  readonly #byKey = new Map<string, Set<S>>();
  /** Those who came with a position to which the tail has not come yet, and which entry it is to find there. */
  readonly #ahead = new Map<S, Cursor>();

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  /** Takes in a newcomer, who is behind the head until it is found out where it stands. */
  join(subscriber: S): void {
    const { selection, key } = subscriber;
    this.all.add(subscriber);
    this.lagging.add(subscriber);
    this.topics.add(subscriber, selection);
    if (key === undefined) return;
    const ofKey = this.#byKey.get(key);
    if (ofKey === undefined) this.#byKey.set(key, new Set([subscriber]));
    else ofKey.add(subscriber);
  }

  leave(subscriber: S): void {
    const { selection, key } = subscriber;
    this.all.delete(subscriber);
    this.lagging.delete(subscriber);
    this.#ahead.delete(subscriber);
    this.topics.delete(subscriber, selection);
    if (key === undefined) return;
    const ofKey = this.#byKey.get(key);
    if (ofKey?.delete(subscriber) && ofKey.size === 0) this.#byKey.delete(key);
  }

  /** The connections of one user, or whatever the key stands for. */
  ofKey(key: string): S[] {
    return [...(this.#byKey.get(key) ?? [])];
  }

  /** Sees to it that a position is one of this log, at once or when the tail comes to it: it may be lost since it was told. */
  expect(subscriber: S, position: Cursor): void {
    const ring = this.#ring;
    this.#ahead.delete(subscriber);
    if (position.witness === 0 || subscriber.source.closeReason !== null) return;
    if (position.epoch !== ring.epoch || position.offset > ring.top) this.#ahead.set(subscriber, position);
    else if ((ring.witnessAt(position.offset) ?? position.witness) !== position.witness) {
      subscriber.source.close("reset");
    }
  }

  receive(item: RingEntry): void {
    if (this.#ahead.size > 0) this.#meet(item);
    this.topics.visit(item.entry.channel, (subscriber) => subscriber.deliver(item));
  }

  interrupt(how: Break, top: number): void {
    for (const subscriber of this.all) {
      // Those who were at the head find out from the log what is left.
      if (how === "hole") subscriber.fallBehind(top);
      else if (how === "epoch") subscriber.restart();
      // As of a log whose machine was replaced by a copy that lagged. Who is connected may have what was lost: their clients
      // come back, and their cursors tell.
      else subscriber.source.close("reset");
    }
  }

  #meet({ entry: { offset, witness } }: RingEntry): void {
    for (const [subscriber, expected] of this.#ahead) {
      if (expected.epoch !== this.#ring.epoch || offset < expected.offset) continue;
      this.#ahead.delete(subscriber);
      if (offset === expected.offset && witness !== expected.witness) subscriber.source.close("reset");
    }
  }
}
