import { now } from "../../clock.ts";
import { makeEpoch, type NewEntry } from "../../logs/log.ts";
import { findEnds } from "../ends.ts";
import type { Feed } from "../feed/feed.ts";
import type { HubSettings } from "../settings.ts";
import type { Counters } from "../stats.ts";
import type { Subscription } from "../subscription/subscription.ts";
import { Alarm } from "./alarm.ts";
import { Attendance } from "./attendance.ts";
import { Change, type Transition } from "./change.ts";
import { Ledger } from "./ledger.ts";
import { type Member, type ResolvedPresence, readMember } from "./options.ts";
import { batch, type Place, paceOf, planChange, type Self } from "./plan.ts";
import { type Cell, isMember, placeOf, type Roster } from "./roster.ts";

/** What presence needs of its hub. */
export interface PresenceContext extends Pick<HubSettings, "limits" | "onError" | "presence"> {
  readonly feed: Feed;
  readonly counters: Counters;
}

/** How long to wait after a failure. */
const pause = 1_000;

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
  readonly #self: Self;
  readonly #alarm = new Alarm(() => this.#settle());
  /** Where the log may not say what it should, by place. */
  readonly #unsettled = new Map<string, Place>();
  /** The roster that all attendees have been compared with. */
  #compared: Roster | null = null;
  #settling: Promise<void> | null = null;
  #pausedUntil = 0;
  #closed = false;

  constructor(context: PresenceContext) {
    const options = context.presence;
    this.#context = context;
    this.#options = options;
    this.#attendance = new Attendance(options.grace, (attendee) => this.#unsettle(attendee));
    this.#self = { process: this.#process, lease: options.lease, attendance: this.#attendance };
    this.#ledger = new Ledger(context.feed, this.#process, options.lease, (cell) => this.#changed(cell));
  }

  /** @throws {SourcecastError} for a member that {@link enter} could not take. */
  check(member: { id: string; data?: unknown } | undefined): void {
    if (member !== undefined) readMember(member, this.#context.limits.eventSize);
  }

  /** The member of a subscription is on its channels from now on. Returns what says that the connection is over. */
  enter({ options, source }: Subscription): () => void {
    if (options.member === undefined) return () => {};
    const member = readMember(options.member, this.#context.limits.eventSize);
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
    this.#alarm.stop();
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
        const change = planChange(roster, this.#ledger.through, this.#self, places);
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

  /** Sees to it that what is due next is looked at. */
  #schedule(): void {
    if (!this.#closed && this.#settling === null) this.#alarm.set(Math.max(this.#due, this.#pausedUntil));
  }

  get #due(): number {
    const { roster } = this.#ledger;
    if (this.#unsettled.size > 0 || (roster === null && this.#attendance.size > 0)) return 0;
    let due = this.#attendance.nextExpiry;
    for (const { process, seen, lease } of roster?.processes.values() ?? []) {
      const isOurs = process === this.#process;
      if (isOurs && this.#attendance.size === 0) return 0;
      due = Math.min(due, seen + (isOurs ? paceOf(this.#options.lease) : lease));
    }
    return due;
  }
}
