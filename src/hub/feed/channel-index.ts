// The subscriptions of each channel: found by name and by prefix, without looking at any other.
import type { ChannelSelection } from "../../log/log.ts";

/**
 * An index from channels to subscriptions. An entry costs one look-up by name, and one for each length that a prefix has,
 * whatever the number of subscriptions of other channels.
 *
 * A selection must not have a name that one of its prefixes covers, nor a prefix within another one (`parseSelection` sees
 * to that): its subscription would be visited twice. The same selection has to be passed to `add` and to `delete`.
 */
export class ChannelIndex<T> {
  readonly #channels = new Map<string, Set<T>>();
  readonly #prefixes = new Map<string, Set<T>>();
  /** The lengths of the prefixes, with the number of prefixes of each: a name is looked up once for each length. */
  readonly #lengths = new Map<number, number>();

  /** The number of channels and prefixes with a subscription. */
  get size(): number {
    return this.#channels.size + this.#prefixes.size;
  }

  add(subscriber: T, selection: ChannelSelection): void {
    for (const channel of selection.channels) enter(this.#channels, channel, subscriber);
    for (const prefix of selection.prefixes) {
      if (enter(this.#prefixes, prefix, subscriber)) this.#count(prefix.length, 1);
    }
  }

  delete(subscriber: T, selection: ChannelSelection): void {
    for (const channel of selection.channels) leave(this.#channels, channel, subscriber);
    for (const prefix of selection.prefixes) {
      if (leave(this.#prefixes, prefix, subscriber)) this.#count(prefix.length, -1);
    }
  }

  /**
   * Calls `visit` for each subscription of a channel. Subscriptions may join and leave during the call: a write may close a
   * stream, and an application may open another one in its listener. A `Set` tolerates both, without a copy.
   */
  visit(channel: string, visit: (subscriber: T) => void): void {
    this.#channels.get(channel)?.forEach(visit);
    for (const length of this.#lengths.keys()) {
      if (length <= channel.length) this.#prefixes.get(channel.slice(0, length))?.forEach(visit);
    }
  }

  /** The number of subscriptions of a channel. */
  count(channel: string): number {
    let count = 0;
    this.visit(channel, () => count++);
    return count;
  }

  #count(length: number, change: 1 | -1): void {
    const count = (this.#lengths.get(length) ?? 0) + change;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
  }
}

/** Returns true for the first subscription of a name. */
function enter<T>(index: Map<string, Set<T>>, name: string, subscriber: T): boolean {
  const subscribers = index.get(name);
  if (subscribers === undefined) index.set(name, new Set([subscriber]));
  else subscribers.add(subscriber);
  return subscribers === undefined;
}

/** Returns true for the last subscription of a name. */
function leave<T>(index: Map<string, Set<T>>, name: string, subscriber: T): boolean {
  const subscribers = index.get(name);
  return subscribers?.delete(subscriber) === true && subscribers.size === 0 && index.delete(name);
}
