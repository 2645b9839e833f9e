import type { ChannelSelection } from "../../log/log.ts";

/** Who follows which channel: found by name and by prefix, without looking at anybody else. */
export class ChannelIndex<T> {
  readonly #channels = new Map<string, Set<T>>();
  readonly #prefixes = new Map<string, Set<T>>();
  /** The lengths that prefixes have, with how many have it: a channel's name is looked up once for each. */
  readonly #lengths = new Map<number, number>();

  /** How many channels and prefixes are followed. */
  get size(): number {
    return this.#channels.size + this.#prefixes.size;
  }

  add(follower: T, selection: ChannelSelection): void {
    for (const channel of selection.channels) enter(this.#channels, channel, follower);
    for (const prefix of selection.prefixes) {
      if (enter(this.#prefixes, prefix, follower)) this.#count(prefix.length, 1);
    }
  }

  delete(follower: T, selection: ChannelSelection): void {
    for (const channel of selection.channels) leave(this.#channels, channel, follower);
    for (const prefix of selection.prefixes) {
      if (leave(this.#prefixes, prefix, follower)) this.#count(prefix.length, -1);
    }
  }

  /** Calls `visit` for each follower of a channel. Followers may join and leave meanwhile. */
  visit(channel: string, visit: (follower: T) => void): void {
    this.#channels.get(channel)?.forEach(visit);
    for (const length of this.#lengths.keys()) {
      if (length <= channel.length) this.#prefixes.get(channel.slice(0, length))?.forEach(visit);
    }
  }

  /** How many follow a channel. */
  count(channel: string): number {
    let count = 0;
    this.visit(channel, () => count++);
    return count;
  }

  #count(length: number, more: 1 | -1): void {
    const count = (this.#lengths.get(length) ?? 0) + more;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
  }
}

/** True for the first follower of a topic. */
function enter<T>(topics: Map<string, Set<T>>, name: string, follower: T): boolean {
  const followers = topics.get(name);
  if (followers === undefined) topics.set(name, new Set([follower]));
  else followers.add(follower);
  return followers === undefined;
}

/** True for the last follower of a topic. */
function leave<T>(topics: Map<string, Set<T>>, name: string, follower: T): boolean {
  const followers = topics.get(name);
  return followers?.delete(follower) === true && followers.size === 0 && topics.delete(name);
}
