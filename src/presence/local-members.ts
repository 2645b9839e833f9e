import { now } from "../base/clock.ts";
import type { CheckedMember } from "./options.ts";
import { memberKey } from "./state.ts";

/** A member on a channel, as the connections of this process say. */
export interface LocalMember {
  readonly channel: string;
  readonly id: string;
  readonly since: number;
  data: unknown;
  connections: number;
  /** When its absence has lasted long enough to be one, in the time of `now()`. */
  until: number;
}

/** Who is here in this process: several connections as one member, and a grace for those who have gone. */
export class LocalMembers {
  readonly #grace: number;
  readonly #onChange: (attendee: LocalMember) => void;
  readonly #attendees = new Map<string, LocalMember>();
  /** Those without a connection, who left first at the beginning. */
  readonly #leaving = new Set<LocalMember>();

  /** @param onChange Told of each member that has come, gone, or come again with other data. */
  constructor(grace: number, onChange: (attendee: LocalMember) => void) {
    this.#grace = grace;
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#attendees.size;
  }

  [Symbol.iterator](): Iterator<LocalMember> {
    return this.#attendees.values();
  }

  /** When the next grace is over. */
  get nextExpiry(): number {
    const [first] = this.#leaving;
    return first?.until ?? Number.POSITIVE_INFINITY;
  }

  find(channel: string, id: string): LocalMember | undefined {
    return this.#attendees.get(memberKey(channel, id));
  }

  /** One connection more. */
  enter(channel: string, { id, data }: CheckedMember): LocalMember {
    const place = memberKey(channel, id);
    const attendee = this.#attendees.get(place) ?? { channel, id, since: Date.now(), data, connections: 0, until: 0 };
    attendee.data = data;
    attendee.connections++;
    this.#leaving.delete(attendee);
    this.#attendees.set(place, attendee);
    this.#onChange(attendee);
    return attendee;
  }

  /** One connection less; without a grace where it is known that it does not come back. */
  leave(attendee: LocalMember, comesBack: boolean): void {
    if (--attendee.connections > 0) return;
    attendee.until = now() + this.#grace;
    if (comesBack) this.#leaving.add(attendee);
    else this.#remove(attendee);
  }

  /** Lets those go who have been away for long enough. */
  expire(time: number): void {
    for (const attendee of this.#leaving) {
      if (attendee.until > time) return;
      this.#leaving.delete(attendee);
      this.#remove(attendee);
    }
  }

  #remove(attendee: LocalMember): void {
    this.#attendees.delete(memberKey(attendee.channel, attendee.id));
    this.#onChange(attendee);
  }
}
