// Keeps the records in the log in agreement with the connections of this process, for one hub.
import { now, WakeTimer } from "../base/clock.ts";
import type { HubPresence, Member, PresenceContext } from "../hub/presence.ts";
import { makeEpoch } from "../log/identity.ts";
import type { NewEntry } from "../log/log.ts";
import { LocalMembers } from "./local-members.ts";
import { type CheckedMember, type ResolvedPresence, readMember } from "./options.ts";
import { type LocalProcess, type MemberAddress, maxRecordsPerWrite, planUpdate, renewalInterval } from "./plan.ts";
import { PresenceLog } from "./presence-log.ts";
import { isMemberRecord, memberKey, type PresenceRecord, type PresenceState } from "./state.ts";
import { PresenceUpdate, type Transition } from "./update.ts";

/** How long to wait after a failure of the log. */
const retryDelayMs = 1_000;

/**
 * Tracks the members of channels over all processes that share the log.
 *
 * The log is the only thing that the processes share, so it decides. Each process writes one record for each of its members
 * to an internal channel. The log accepts a record only from a process that has seen all earlier records. The process that
 * writes a member's first record therefore knows that it is the first, and publishes the `join` in the same append: exactly
 * once. The same holds for the last record and the `leave`. A process that is silent for longer than its lease counts as
 * dead. The others remove its records in the same way, and if it is alive after all, it writes them again.
 */
export class PresenceTracker implements HubPresence {
  readonly #context: PresenceContext;
  readonly #options: ResolvedPresence;
  readonly #process: string = makeEpoch();
  readonly #members: LocalMembers;
  readonly #log: PresenceLog;
  readonly #local: LocalProcess;
  readonly #wakeTimer = new WakeTimer(() => this.#sync());
  /** The members whose records may not agree with their connections, by key. */
  readonly #dirty = new Map<string, MemberAddress>();
  /** The state that all local members have been compared with. */
  #compared: PresenceState | null = null;
  #syncing: Promise<void> | null = null;
  #pausedUntil = 0;
  #closed = false;

  constructor(context: PresenceContext, options: ResolvedPresence) {
    this.#context = context;
    this.#options = options;
    this.#members = new LocalMembers(options.grace, (member) => this.#markDirty(member));
    this.#local = { process: this.#process, lease: options.lease, members: this.#members };
    this.#log = new PresenceLog(context, this.#process, options.lease, (replaced) => this.#onRecord(replaced));
  }

  check(member: CheckedMember): CheckedMember {
    return readMember(member, this.#context.maxDataSize);
  }

  enter(member: CheckedMember, channels: readonly string[]): (closeReason: string) => void {
    // A prefix stands for channels that may not exist yet. A name that is given twice is one connection.
    const names = new Set(channels.filter((name) => !name.endsWith("*")));
    const members = Array.from(names, (channel) => this.#members.enter(channel, member));
    this.#sync();
    return (closeReason) => {
      // Clients stop for good after these two: they get 403 or 204 when they reconnect.
      const mayReconnect = closeReason !== "revoked" && closeReason !== "ended";
      for (const member of members) this.#members.leave(member, mayReconnect);
      if (mayReconnect) this.#schedule();
      else this.#sync();
    };
  }

  /** Waits for the local members to be written first, so that the list includes a subscription that has just opened here. */
  async members(channel: string): Promise<Member[]> {
    await this.#log.load();
    await this.#sync();
    this.#schedule();
    return (await this.#log.load()).members(channel);
  }

  /** Shortens the lease to the grace period: other processes then remove the members that do not reconnect to them. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeTimer.stop();
    this.#log.stopWaiting();
    await this.#syncing;
    const { state } = this.#log;
    const key = state?.processes.get(this.#process)?.key;
    if (state === null || key === undefined) return;
    const update = new PresenceUpdate(state, this.#log.through);
    update.renew({ process: this.#process, lease: this.#options.grace }, key);
    // After a conflict, the lease runs out a little later.
    await this.#log.write(update, []).catch((error) => this.#context.onError(error));
  }

  /** Another process has written a record. */
  #onRecord(replaced: PresenceRecord): void {
    // It may have removed a record of this process, assuming that it was dead. Then the record is written again.
    const isOurs = replaced?.process === this.#process;
    if (isOurs && isMemberRecord(replaced)) this.#markDirty(replaced);
    if (isOurs || this.#log.state === null) this.#sync();
    else this.#schedule();
  }

  #markDirty({ channel, id }: MemberAddress): void {
    this.#dirty.set(memberKey(channel, id), { channel, id });
  }

  /** Makes the log agree with the connections. Resolves when that is done or has failed. */
  #sync(): Promise<void> {
    if (this.#syncing === null && !this.#closed && now() >= this.#pausedUntil) this.#syncing = this.#run();
    this.#schedule();
    return this.#syncing ?? Promise.resolve();
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        // Changes of the same tick, and those that arrive while an update is written, share the next update.
        const state = await this.#log.load();
        if (this.#closed) break;
        const dirty = this.#takeDirty(state);
        const update = planUpdate(state, this.#log.through, this.#local, dirty);
        if (update.size > 0) await this.#write(update, dirty);
        else if (this.#dirty.size === 0) break;
      }
    } catch (error) {
      this.#pausedUntil = now() + retryDelayMs;
      this.#context.onError(error);
    } finally {
      // In the same turn as the last plan, so that no later change is missed.
      this.#syncing = null;
      this.#schedule();
    }
  }

  /**
   * The members to compare with the log in the next update. A state that was read again may disagree with any of them. Members
   * whose grace period is over become dirty here, so that the same update removes them.
   */
  #takeDirty(state: PresenceState): MemberAddress[] {
    if (this.#compared !== state) for (const member of this.#members) this.#markDirty(member);
    this.#compared = state;
    this.#members.expire(now());
    const dirty = [...this.#dirty.values()].slice(0, maxRecordsPerWrite);
    for (const { channel, id } of dirty) this.#dirty.delete(memberKey(channel, id));
    return dirty;
  }

  /** Writes an update. Its members stay dirty unless the log has accepted it, so a conflict or a failure loses no change. */
  async #write(update: PresenceUpdate, dirty: readonly MemberAddress[]): Promise<void> {
    let isWritten = false;
    try {
      const events = await this.#eventsOf(update.transitions());
      isWritten = await this.#log.write(update, events);
      if (isWritten) this.#context.countPublished(events.length);
      else await this.#log.waitForRecordAfter(update.after);
    } finally {
      if (!isWritten) for (const address of dirty) this.#markDirty(address);
    }
  }

  /** The events to publish. Nothing follows the end of a channel, not even a `leave`. */
  async #eventsOf(transitions: readonly Transition[]): Promise<NewEntry[]> {
    const types = this.#options.events;
    if (types === null || transitions.length === 0) return [];
    const { log, limit } = this.#context;
    const channels = new Set(transitions.map(({ member }) => member.channel));
    const selection = { channels: [...channels], prefixes: [] };
    const { answers } = await limit(log.locate([{ cursor: null, selection }]), "log.locate()");
    const ended = new Set(answers[0]?.ends.map(({ channel }) => channel));
    return transitions.flatMap(({ kind, member: { channel, id, data } }) =>
      ended.has(channel) ? [] : { channel, type: types[kind], data: JSON.stringify({ id, data }) },
    );
  }

  /** Sets the timer for the next moment at which something is due. */
  #schedule(): void {
    if (!this.#closed && this.#syncing === null) this.#wakeTimer.set(Math.max(this.#due, this.#pausedUntil));
  }

  /** In the time of `now()`: a change to write, a grace period or a lease that ends, the next declaration of this process. */
  get #due(): number {
    const { state } = this.#log;
    if (this.#dirty.size > 0 || (state === null && this.#members.size > 0)) return 0;
    let due = this.#members.nextExpiry;
    for (const { process, seen, lease } of state?.processes.values() ?? []) {
      const isOurs = process === this.#process;
      if (isOurs && this.#members.size === 0) return 0;
      due = Math.min(due, seen + (isOurs ? renewalInterval(this.#options.lease) : lease));
    }
    return due;
  }
}
