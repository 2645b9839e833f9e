import { now, reached, unrefTimeout } from "../../clock.ts";
import { makeEpoch, type NewEntry } from "../../logs/log.ts";
import { findEnds } from "../ends.ts";
import type { Feed } from "../feed.ts";
import type { OnError } from "../options.ts";
import type { Counters } from "../stats.ts";
import type { Subscription } from "../subscription.ts";
import { Attendance, type Attendee } from "./attendance.ts";
import { Change, type Transition } from "./change.ts";
import { Ledger } from "./ledger.ts";
import { type Member, type ResolvedPresence, readMember } from "./options.ts";
import { type Cell, isMember, placeOf, type Roster } from "./roster.ts";

/** What presence needs of its hub. */
export interface PresenceContext {
  readonly feed: Feed;
  readonly counters: Counters;
  readonly onError: OnError;
  /** Longest member, in characters. */
  readonly maxSize: number;
}

/** Most cells that are written at a time. */
const batch = 256;

/** How long to wait after a failure. */
const pause = 1_000;

/** Longer waits are made of several. */
const longestWait = 24 * 3_600_000;

/** Where a member is or was. */
type Place = Pick<Attendee, "channel" | "id">;

/**
 * Who is on which channel, over all processes that share the log.
 *
 * The log is the only thing that they share, so it decides. Each process writes the members that it has into cells of a
 * channel of the hub's own, and the log takes a cell only from one who has seen all cells before it. So the writer of a
 * member's first cell knows that it is the first, as with the last one, and publishes the `join` or the `leave` in the same
 * append: once, or not at all. A process that is silent for longer than its lease is dead to the others; they free its cells
 * in the same way, and if it lives it writes them again.
 */
export class Presence {
  readonly #context: PresenceContext;
  readonly #options: ResolvedPresence;
  readonly #process: string = makeEpoch();
  readonly #attendance: Attendance;
  readonly #ledger: Ledger;
  /** Where the log may not say what it should, by place. */
  readonly #unsettled = new Map<string, Place>();
  /** The roster that all attendees have been compared with. */
  #compared: Roster | null = null;
  #settling: Promise<void> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wakesAt = 0;
  #pausedUntil = 0;
  #closed = false;

  constructor(context: PresenceContext, options: ResolvedPresence) {
    this.#context = context;
    this.#options = options;
    this.#attendance = new Attendance(options.grace, (attendee) => this.#unsettle(attendee));
    this.#ledger = new Ledger(context.feed, this.#process, options.lease, (cell) => this.#changed(cell));
  }

  /** @throws {SourcecastError} for a member that {@link enter} could not take. */
  check(member: { id: string; data?: unknown } | undefined): void {
    if (member !== undefined) readMember(member, this.#context.maxSize);
  }

  /** The member of a subscription is on its channels from now on. Returns what says that the connection is over. */
  enter({ options, source }: Subscription): () => void {
    if (options.member === undefined) return () => {};
    const member = readMember(options.member, this.#context.maxSize);
    const channels = new Set(options.channels.filter((name) => !name.endsWith("*")));
    const attendees = Array.from(channels, (channel) => this.#attendance.enter(channel, member));
    this.#settle();
    return () => {
      const comesBack = source.closeReason !== "revoked" && source.closeReason !== "ended";
      for (const attendee of attendees) this.#attendance.leave(attendee, comesBack);
      if (comesBack) this.#schedule();
      else this.#settle();
    };
  }

  /** Everyone on a channel, as far as this process has heard. */
  async members(channel: string): Promise<Member[]> {
    await this.#ledger.load();
    await this.#settle();
    this.#schedule();
    return (await this.#ledger.load()).members(channel);
  }

  /** Leaves the members to the other processes, which let those go who do not come to one of them within their grace. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#ledger.release();
    await this.#settling;
    const { roster } = this.#ledger;
    const key = roster?.processes.get(this.#process)?.key;
    if (roster === null || key === undefined) return;
    const farewell = new Change(roster, this.#ledger.through);
    farewell.renew({ process: this.#process, lease: this.#options.grace }, key);
    // Where another process was faster, the lease runs out a little later.
    await this.#ledger.write(farewell, []).catch((error) => this.#context.onError(error, { stage: "presence" }));
  }

  /** Another process has written a cell. */
  #changed(replaced: Cell): void {
    // One of this process: somebody took it for dead. It is not, and says so.
    const isOurs = replaced?.process === this.#process;
    if (isOurs && isMember(replaced)) this.#unsettle(replaced);
    if (isOurs || this.#ledger.roster === null) this.#settle();
    else this.#schedule();
  }

  #unsettle(place: Place): void {
    this.#unsettled.set(placeOf(place.channel, place.id), place);
  }

  /** Brings the log in line with who is here. Resolves when that is done or has failed. */
  #settle(): Promise<void> {
    if (this.#settling === null && !this.#closed && now() >= this.#pausedUntil) this.#settling = this.#run();
    this.#schedule();
    return this.#settling ?? Promise.resolve();
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        // What happens in one tick, or while a change is written, goes into the next one together.
        const roster = await this.#ledger.load();
        if (this.#closed) break;
        const places = this.#nextPlaces(roster);
        const change = this.#plan(roster, places);
        if (change.size > 0) await this.#write(change, places);
        else if (this.#unsettled.size === 0) break;
      }
    } catch (error) {
      this.#pausedUntil = now() + pause;
      this.#context.onError(error, { stage: "presence" });
    } finally {
      // In the same turn as the last plan, so that what comes up from here on is not overlooked.
      this.#settling = null;
      this.#schedule();
    }
  }

  #nextPlaces(roster: Roster): Place[] {
    if (this.#compared !== roster) for (const attendee of this.#attendance) this.#unsettle(attendee);
    this.#compared = roster;
    this.#attendance.expire(now());
    const places = [...this.#unsettled.values()].slice(0, batch);
    for (const place of places) this.#unsettled.delete(placeOf(place.channel, place.id));
    return places;
  }

  /** What makes the log say that the attendees of these places are here, that others are not, and that this process lives. */
  #plan(roster: Roster, places: readonly Place[]): Change {
    const change = new Change(roster, this.#ledger.through);
    const time = now();
    const mine = roster.processes.get(this.#process);
    const { lease } = this.#options;
    if (this.#attendance.size > 0 && (mine?.key === undefined || time >= mine.seen + lease / 3)) {
      change.renew({ process: this.#process, lease }, mine?.key);
    }
    for (const place of places) this.#planPlace(change, place);
    for (const other of roster.processes.values()) {
      const isOver = other === mine ? this.#attendance.size === 0 : time >= other.seen + other.lease;
      if (isOver) change.release(other, batch);
    }
    return change;
  }

  #planPlace(change: Change, { channel, id }: Place): void {
    const cells = [...change.roster.cellsOf(channel, id)];
    const [own, ...surplus] = cells.filter(({ process }) => process === this.#process);
    const attendee = this.#attendance.find(channel, id);
    for (const cell of surplus) change.free(cell);
    if (attendee === undefined) {
      if (own !== undefined) change.free(own);
    } else if (own === undefined) {
      const since = Math.min(attendee.since, ...cells.map((cell) => cell.since));
      change.add({ process: this.#process, channel, id, data: attendee.data, since });
    } else if (JSON.stringify(own.data) !== JSON.stringify(attendee.data)) {
      change.replace(own, attendee.data);
    }
  }

  async #write(change: Change, places: readonly Place[]): Promise<void> {
    let isWritten = false;
    try {
      const events = await this.#eventsOf(change.transitions());
      isWritten = await this.#ledger.write(change, events);
      if (isWritten) this.#context.counters.published += events.length;
      else await this.#ledger.news(change.after);
    } finally {
      if (!isWritten) for (const place of places) this.#unsettle(place);
    }
  }

  /** What the channels hear. One that has ended stays so: whoever comes back to it is told that nothing will follow. */
  async #eventsOf(transitions: readonly Transition[]): Promise<NewEntry[]> {
    const types = this.#options.events;
    if (types === null) return [];
    const channels = new Set(transitions.map(({ member }) => member.channel));
    const ends = await findEnds(this.#context.feed.log, [...channels]);
    const ended = new Set(ends.map(({ channel }) => channel));
    return transitions.flatMap(({ kind, member: { channel, id, data } }) =>
      ended.has(channel) ? [] : { channel, type: types[kind], data: JSON.stringify({ id, data }) },
    );
  }

  /** Sees to it that what is due next is looked at; without a timer where nothing ever is. */
  #schedule(): void {
    if (this.#closed || this.#settling !== null) return;
    const due = Math.max(this.#due, this.#pausedUntil);
    const isNever = due === Number.POSITIVE_INFINITY;
    // A timer that is too early finds nothing to do and sets the next one.
    if (this.#timer !== undefined && !isNever && this.#wakesAt <= due) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (isNever) return;
    const time = now();
    const moment = Math.min(Math.max(due, time), time + longestWait);
    this.#wakesAt = moment;
    this.#timer = unrefTimeout(() => {
      this.#timer = undefined;
      reached(moment);
      this.#settle();
    }, moment - time);
  }

  get #due(): number {
    const { roster } = this.#ledger;
    if (this.#unsettled.size > 0 || (roster === null && this.#attendance.size > 0)) return 0;
    let due = this.#attendance.nextExpiry;
    for (const { process, seen, lease } of roster?.processes.values() ?? []) {
      const isOurs = process === this.#process;
      if (isOurs && this.#attendance.size === 0) return 0;
      due = Math.min(due, seen + (isOurs ? this.#options.lease / 3 : lease));
    }
    return due;
  }
}
