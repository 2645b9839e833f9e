import { now, WakeTimer } from "../base/clock.ts";
import type { HubPresence, Member, PresenceContext } from "../hub/presence.ts";
import { makeEpoch } from "../log/identity.ts";
import type { NewEntry } from "../log/log.ts";
import { LocalMembers } from "./local-members.ts";
import { type CheckedMember, type ResolvedPresence, readMember } from "./options.ts";
import { type MemberAddress, maxRecordsPerWrite, planUpdate, renewalInterval, type Self } from "./plan.ts";
import { PresenceLog } from "./presence-log.ts";
import { isMember, memberKey, type PresenceRecord, type PresenceState } from "./state.ts";
import { PresenceUpdate, type Transition } from "./update.ts";

/** How long to wait after a failure. */
const retryDelayMs = 1_000;

/**
 * Who is on which channel, over all processes that share the log.
 *
 * The log is the only thing that they share, so it decides. Each process writes the members that it has into cells of a
 * channel of the hub's own, and the log takes a cell only from one who has seen all cells before it. So the writer of a
 * member's first cell knows that it is the first, as with the last one, and publishes the `join` or the `leave` in the same
 * append: once, or not at all. A process that is silent for longer than its lease is dead to the others; they free its cells
 * in the same way, and if it lives it writes them again.
 */
export class PresenceTracker implements HubPresence {
  readonly #context: PresenceContext;
  readonly #options: ResolvedPresence;
  readonly #process: string = makeEpoch();
  readonly #localMembers: LocalMembers;
  readonly #log: PresenceLog;
  readonly #self: Self;
  readonly #wakeTimer = new WakeTimer(() => this.#sync());
  /** Where the log may not say what it should, by place. */
  readonly #dirty = new Map<string, MemberAddress>();
  /** The roster that all attendees have been compared with. */
  #compared: PresenceState | null = null;
  #syncing: Promise<void> | null = null;
  #pausedUntil = 0;
  #closed = false;

  constructor(context: PresenceContext, options: ResolvedPresence) {
    this.#context = context;
    this.#options = options;
    this.#localMembers = new LocalMembers(options.grace, (attendee) => this.#markDirty(attendee));
    this.#self = { process: this.#process, lease: options.lease, attendance: this.#localMembers };
    this.#log = new PresenceLog(context, this.#process, options.lease, (cell) => this.#changed(cell));
  }

  check(member: CheckedMember): CheckedMember {
    return readMember(member, this.#context.maxDataSize);
  }

  enter(member: CheckedMember, channels: readonly string[]): (closeReason: string) => void {
    const names = new Set(channels.filter((name) => !name.endsWith("*")));
    const attendees = Array.from(names, (channel) => this.#localMembers.enter(channel, member));
    this.#sync();
    return (closeReason) => {
      const comesBack = closeReason !== "revoked" && closeReason !== "ended";
      for (const attendee of attendees) this.#localMembers.leave(attendee, comesBack);
      if (comesBack) this.#schedule();
      else this.#sync();
    };
  }

  /** Everyone on a channel, as far as this process has heard. */
  async members(channel: string): Promise<Member[]> {
    await this.#log.load();
    await this.#sync();
    this.#schedule();
    return (await this.#log.load()).members(channel);
  }

  /** Leaves the members to the other processes, which let those go who do not come to one of them within their grace. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeTimer.stop();
    this.#log.release();
    await this.#syncing;
    const { roster } = this.#log;
    const key = roster?.processes.get(this.#process)?.key;
    if (roster === null || key === undefined) return;
    const farewell = new PresenceUpdate(roster, this.#log.through);
    farewell.renew({ process: this.#process, lease: this.#options.grace }, key);
    // Where another process was faster, the lease runs out a little later.
    await this.#log.write(farewell, []).catch((error) => this.#context.onError(error));
  }

  /** Another process has written a cell. */
  #changed(replaced: PresenceRecord): void {
    // One of this process: somebody took it for dead. It is not, and says so.
    const isOurs = replaced?.process === this.#process;
    if (isOurs && isMember(replaced)) this.#markDirty(replaced);
    if (isOurs || this.#log.roster === null) this.#sync();
    else this.#schedule();
  }

  #markDirty(place: MemberAddress): void {
    this.#dirty.set(memberKey(place.channel, place.id), place);
  }

  /** Brings the log in line with who is here. Resolves when that is done or has failed. */
  #sync(): Promise<void> {
    if (this.#syncing === null && !this.#closed && now() >= this.#pausedUntil) this.#syncing = this.#run();
    this.#schedule();
    return this.#syncing ?? Promise.resolve();
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        // What happens in one tick, or while a change is written, goes into the next one together.
        const roster = await this.#log.load();
        if (this.#closed) break;
        const places = this.#nextPlaces(roster);
        const change = planUpdate(roster, this.#log.through, this.#self, places);
        if (change.size > 0) await this.#write(change, places);
        else if (this.#dirty.size === 0) break;
      }
    } catch (error) {
      this.#pausedUntil = now() + retryDelayMs;
      this.#context.onError(error);
    } finally {
      // In the same turn as the last plan, so that what comes up from here on is not overlooked.
      this.#syncing = null;
      this.#schedule();
    }
  }

  #nextPlaces(roster: PresenceState): MemberAddress[] {
    if (this.#compared !== roster) for (const attendee of this.#localMembers) this.#markDirty(attendee);
    this.#compared = roster;
    this.#localMembers.expire(now());
    const places = [...this.#dirty.values()].slice(0, maxRecordsPerWrite);
    for (const place of places) this.#dirty.delete(memberKey(place.channel, place.id));
    return places;
  }

  async #write(change: PresenceUpdate, places: readonly MemberAddress[]): Promise<void> {
    let isWritten = false;
    try {
      const events = await this.#eventsOf(change.transitions());
      isWritten = await this.#log.write(change, events);
      if (isWritten) this.#context.countPublished(events.length);
      else await this.#log.news(change.after);
    } finally {
      if (!isWritten) for (const place of places) this.#markDirty(place);
    }
  }

  /** What the channels hear. One that has ended stays so: whoever comes back to it is told that nothing will follow. */
  async #eventsOf(transitions: readonly Transition[]): Promise<NewEntry[]> {
    const types = this.#options.events;
    if (types === null) return [];
    const channels = new Set(transitions.map(({ member }) => member.channel));
    const selection = { channels: [...channels], prefixes: [] };
    const ends = (await this.#context.log.locate([{ cursor: null, selection }])).answers[0]?.ends ?? [];
    const ended = new Set(ends.map(({ channel }) => channel));
    return transitions.flatMap(({ kind, member: { channel, id, data } }) =>
      ended.has(channel) ? [] : { channel, type: types[kind], data: JSON.stringify({ id, data }) },
    );
  }

  /** Sees to it that what is due next is looked at. */
  #schedule(): void {
    if (!this.#closed && this.#syncing === null) this.#wakeTimer.set(Math.max(this.#due, this.#pausedUntil));
  }

  get #due(): number {
    const { roster } = this.#log;
    if (this.#dirty.size > 0 || (roster === null && this.#localMembers.size > 0)) return 0;
    let due = this.#localMembers.nextExpiry;
    for (const { process, seen, lease } of roster?.processes.values() ?? []) {
      const isOurs = process === this.#process;
      if (isOurs && this.#localMembers.size === 0) return 0;
      due = Math.min(due, seen + (isOurs ? renewalInterval(this.#options.lease) : lease));
    }
    return due;
  }
}
