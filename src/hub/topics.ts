import type { Selection } from "../logs/log.ts";

/** Who follows which channel: found by name and by prefix, without looking at anybody else. */
export class Topics<T> {
  readonly #channels = new Map<string, Set<T>>();
  readonly #prefixes = new Map<string, Set<T>>();
  /** The lengths that prefixes have: a channel's name is looked up once for each. */
  #lengths: readonly number[] = [];

  /** How many channels and prefixes are followed. */
  get size(): number {
    return this.#channels.size + this.#prefixes.size;
  }

  add(follower: T, selection: Selection): void {
    for (const channel of selection.channels) enter(this.#channels, channel, follower);
    for (const prefix of selection.prefixes) enter(this.#prefixes, prefix, follower);
    if (selection.prefixes.length > 0) this.#measure();
  }

  delete(follower: T, selection: Selection): void {
    for (const channel of selection.channels) leave(this.#channels, channel, follower);
    for (const prefix of selection.prefixes) leave(this.#prefixes, prefix, follower);
    if (selection.prefixes.length > 0) this.#measure();
  }

  /** Calls `visit` for each follower of a channel. Followers may join and leave meanwhile. */
  visit(channel: string, visit: (follower: T) => void): void {
    this.#channels.get(channel)?.forEach(visit);
    for (const length of this.#lengths) {
      if (length <= channel.length) this.#prefixes.get(channel.slice(0, length))?.forEach(visit);
    }
  }

  /** How many follow a channel. */
  count(channel: string): number {
    let count = 0;
    this.visit(channel, () => count++);
    return count;
  }

  #measure(): void {
    this.#lengths = [...new Set(Array.from(this.#prefixes.keys(), (prefix) => prefix.length))];
  }
}

function enter<T>(topics: Map<string, Set<T>>, name: string, follower: T): void {
  const followers = topics.get(name);
  if (followers === undefined) topics.set(name, new Set([follower]));
  else followers.add(follower);
}

function leave<T>(topics: Map<string, Set<T>>, name: string, follower: T): void {
  const followers = topics.get(name);
  followers?.delete(follower);
  if (followers?.size === 0) topics.delete(name);
}
