// The members that are connected to this process.
import { now } from "../base/clock.ts";
import type { CheckedMember } from "./options.ts";
import { memberKey } from "./state.ts";

/** A member on a channel, with its connections to this process. */
export interface LocalMember {
  readonly channel: string;
  readonly id: string;
  /** When it came, in milliseconds of Unix time. */
  readonly since: number;
  data: unknown;
  connections: number;
  /** When its grace period ends, in the time of `now()`. */
  graceEnd: number;
}

/**
 * Counts the connections of each member on each channel, and gives a member a grace period after its last one: a page that is
 * reloaded, or a client that changes networks, comes back within it, and its absence is not published.
 */
export class LocalMembers {
  readonly #grace: number;
  readonly #onChange: (member: LocalMember) => void;
  readonly #members = new Map<string, LocalMember>();
  /**
   * The members without a connection, in the order in which their grace periods end. That is the order in which they were
   * added, because all grace periods are equally long.
   */
  readonly #leaving = new Set<LocalMember>();

  /** @param onChange Called with each member that has come, left, or brought different data. */
  constructor(grace: number, onChange: (member: LocalMember) => void) {
    this.#grace = grace;
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#members.size;
  }

  [Symbol.iterator](): Iterator<LocalMember> {
    return this.#members.values();
  }

  /** When the next grace period ends, in the time of `now()`; `Infinity` if none is running. */
  get nextExpiry(): number {
    const [first] = this.#leaving;
    return first?.graceEnd ?? Number.POSITIVE_INFINITY;
  }

  find(channel: string, id: string): LocalMember | undefined {
    return this.#members.get(memberKey(channel, id));
  }

  /** A connection of the member has opened. Its data replaces that of the earlier ones: the newest connection decides. */
  enter(channel: string, { id, data }: CheckedMember): LocalMember {
    const key = memberKey(channel, id);
    const member = this.#members.get(key) ?? { channel, id, since: Date.now(), data, connections: 0, graceEnd: 0 };
    member.data = data;
    member.connections++;
    this.#leaving.delete(member);
    this.#members.set(key, member);
    this.#onChange(member);
    return member;
  }

  /** A connection of the member has closed. The grace period is skipped if the client will not reconnect. */
  leave(member: LocalMember, mayReconnect: boolean): void {
    if (--member.connections > 0) return;
    member.graceEnd = now() + this.#grace;
    if (mayReconnect) this.#leaving.add(member);
    else this.#remove(member);
  }

  /** Removes the members whose grace period has ended, and stops at the first that is still running. */
  expire(time: number): void {
    for (const member of this.#leaving) {
      if (member.graceEnd > time) return;
      this.#leaving.delete(member);
      this.#remove(member);
    }
  }

  #remove(member: LocalMember): void {
    this.#members.delete(memberKey(member.channel, member.id));
    this.#onChange(member);
  }
}
