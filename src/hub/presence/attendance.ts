import { now } from "../../clock.ts";
import type { Member } from "./options.ts";
import { placeOf } from "./roster.ts";

/** A member on a channel, as the connections of this process say. */
export interface Attendee {
  readonly channel: string;
  readonly id: string;
  readonly since: number;
  data: unknown;
  connections: number;
  /** When its absence has lasted long enough to be one, in the time of `now()`. */
  until: number;
}

/** Who is here in this process: several connections as one member, and a grace for those who have gone. */
export class Attendance {
  readonly #grace: number;
  readonly #onChange: (attendee: Attendee) => void;
  readonly #attendees = new Map<string, Attendee>();
  /** Those without a connection, who left first at the beginning. */
  readonly #leaving = new Set<Attendee>();

  /** @param onChange Told of each member that has come, gone, or come again with other data. */
  constructor(grace: number, onChange: (attendee: Attendee) => void) {
    this.#grace = grace;
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#attendees.size;
  }

  [Symbol.iterator](): Iterator<Attendee> {
    return this.#attendees.values();
  }

  /** When the next grace is over. */
  get nextExpiry(): number {
    const [first] = this.#leaving;
    return first?.until ?? Number.POSITIVE_INFINITY;
  }

  find(channel: string, id: string): Attendee | undefined {
    return this.#attendees.get(placeOf(channel, id));
  }

  /** One connection more. */
  enter(channel: string, { id, data }: Omit<Member, "since">): Attendee {
    const place = placeOf(channel, id);
    const attendee = this.#attendees.get(place) ?? { channel, id, since: Date.now(), data, connections: 0, until: 0 };
    attendee.data = data;
    attendee.connections++;
    this.#leaving.delete(attendee);
    this.#attendees.set(place, attendee);
    this.#onChange(attendee);
    return attendee;
  }

  /** One connection less; without a grace where it is known that it does not come back. */
  leave(attendee: Attendee, comesBack: boolean): void {
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

  #remove(attendee: Attendee): void {
    this.#attendees.delete(placeOf(attendee.channel, attendee.id));
    this.#onChange(attendee);
  }
}
