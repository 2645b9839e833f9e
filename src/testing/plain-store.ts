// The store of a log in its plainest form: all entries that ever were, and functions that say what each rule means.
import { now } from "../base/clock.ts";
import { checkOptions } from "../base/options.ts";
import type { AppendCall, AppendOutcome } from "../log/append-queue.ts";
import { conflictOf } from "../log/errors.ts";
import type { TailPage } from "../log/follow-tail.ts";
import { makeEpoch, makeWitness } from "../log/identity.ts";
import type {
  Appended,
  ChannelSelection,
  Floor,
  Head,
  LogEntry,
  NewEntry,
  Page,
  ReadOptions,
  Retention,
} from "../log/log.ts";
import { type RetentionLimits, retentionChecks, retentionLimits, weightOf } from "../log/retention.ts";
import { compileSelection } from "../log/selection.ts";

/** Called with entries at the moment in which the store accepts them. */
export type StoreListener = (epoch: string, entries: readonly LogEntry[]) => void;

/**
 * The storage of {@link PlainLog}: what a database is to a real log. It survives its logs, several logs may use it at
 * once, and it can be copied and lose its newest entries. It keeps every entry in memory and computes the rest from that.
 */
export class PlainStore {
  #epoch: string = makeEpoch();
  #origin = makeWitness();
  /** Entry `n` at index `n - 1`, trimmed ones too. */
  #entries: LogEntry[] = [];
  /** When each of them was appended, by the monotonic clock. */
  #times: number[] = [];
  /** Every entry up to here was trimmed. */
  #floor = 0;
  /** Positions by idempotency key, and by the id of a call. */
  #answers = new Map<string, { appended: Appended; time: number }>();
  /** Kept forever, which only a store for tests can afford. A real one keeps them for as long as a queue retries. */
  #calls = new Map<string, readonly Appended[]>();
  readonly #limits: RetentionLimits;
  readonly #listeners = new Set<StoreListener>();

  /**
   * @param retention How much is kept: 10,000 entries of 64 MB by default.
   * @throws {SourcecastTypeError} for values that are not allowed.
   */
  constructor(retention: Retention = {}) {
    checkOptions(retention, retentionChecks, "new PlainStore()");
    this.#limits = retentionLimits(retention, { maxEvents: 10_000, maxBytes: "64mb" });
  }

  /** The present epoch. */
  get epoch(): string {
    return this.#epoch;
  }

  /** The newest position. Expired entries are removed first: retention by age needs no timer if every question does that. */
  head(): Head {
    this.#trim();
    return this.#head;
  }

  /** Stores the entries of each call, all or none. A call that was stored before gets the positions that it had then. */
  append(calls: readonly AppendCall[]): AppendOutcome[] {
    const from = this.#top;
    // One after the other: each call sees the entries of those before it, and may conflict with them.
    const outcomes = calls.map((call) => this.#calls.get(call.id) ?? this.#appendCall(call));
    const entries = this.#entries.slice(from);
    // Before retention: a tail gets a burst that is longer than the log, too.
    if (entries.length > 0) for (const listener of this.#listeners) listener(this.#epoch, entries);
    this.#trim();
    return outcomes;
  }

  /** One page, as `Log.read` returns it. */
  read(after: number, { limit, maxBytes, selection, conflate }: ReadOptions): Page {
    this.#trim();
    const matches = compileSelection(selection);
    // Filters all entries for each page, in linear time: here the rules are to be read, and a real log is compared with
    // them.
    const later = this.#entries.filter(({ offset, channel }) => offset > after && matches(channel));
    const readable = later.filter((entry) => this.#isReadable(entry, conflate));
    // The entry that exceeds `maxBytes` ends the page, unless it is the first: a page must make progress.
    let bytes = 0;
    const end = readable.findIndex((entry, index) => {
      bytes += weightOf(entry);
      return index === limit || (index > 0 && bytes > maxBytes);
    });
    const entries = end === -1 ? readable : readable.slice(0, end);
    // A page that ends with the log accounts for everything up to the head, so that its reader can go live there.
    const through = Math.max(after, end === -1 ? this.#top : (entries.at(-1)?.offset as number));
    // An entry at or below the floor counts as trimmed, so it is not counted as conflated too.
    const isConflated = (entry: LogEntry) => conflate && entry.offset > this.#floor && this.#isSuperseded(entry);
    return {
      epoch: this.#epoch,
      entries,
      through,
      conflated: later.filter((entry) => entry.offset <= through && isConflated(entry)).length,
      trimmed: this.#trimmed(selection, conflate),
      floor: this.#position,
    };
  }

  /** Every retained entry after an offset, superseded ones too, with the head: a page for tails. */
  tailPage(after: number): TailPage {
    return { head: this.#head, entries: this.#entries.slice(Math.max(after, this.#floor)) };
  }

  /** Calls a function with entries as they are accepted. Returns a function that ends it. */
  subscribe(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Loses the newest entries, as a failover to a copy that lags does. The newest retained entry stays. */
  lose(count: number): void {
    // A log keeps its newest entry whatever it trims, so at least the one after the floor remains.
    const least = this.#floor === 0 ? 0 : this.#floor + 1;
    const top = Math.min(this.#top, Math.max(least, this.#top - count));
    this.#entries.length = this.#times.length = top;
    // A key of a lost entry must be free again: its publisher would be answered with a position that does not exist.
    for (const [key, { appended }] of this.#answers) if (appended.offset > top) this.#answers.delete(key);
    for (const [id, appended] of this.#calls) if (appended.some(({ offset }) => offset > top)) this.#calls.delete(id);
  }

  /**
   * Everything that is stored, to be restored later: a backup. The answers to repeated publishes are part of it. Without them,
   * a restored log would store a repetition as a new entry.
   */
  copy(): () => void {
    const [epoch, origin, floor] = [this.#epoch, this.#origin, this.#floor];
    const [entries, times] = [[...this.#entries], [...this.#times]];
    const [answers, calls] = [new Map(this.#answers), new Map(this.#calls)];
    // Copies again at each restore: the same backup may be restored several times.
    return () => {
      [this.#epoch, this.#origin, this.#floor] = [epoch, origin, floor];
      [this.#entries, this.#times] = [[...entries], [...times]];
      [this.#answers, this.#calls] = [new Map(answers), new Map(calls)];
    };
  }

  /** Begins a new epoch, with nothing in it, as a store does that was flushed: the origin has another witness, too. */
  renew(): void {
    [this.#epoch, this.#origin, this.#floor] = [makeEpoch(), makeWitness(), 0];
    [this.#entries, this.#times] = [[], []];
    [this.#answers, this.#calls] = [new Map(), new Map()];
  }

  /** Trimmed entries stay in the array, so its length is the newest offset. */
  get #top(): number {
    return this.#entries.length;
  }

  get #head(): Head {
    const witness = this.#witnessAt(this.#top) as number;
    return { epoch: this.#epoch, top: this.#top, witness, floor: this.#position };
  }

  /** The floor with its witness, which the oldest retained entry stores. */
  get #position(): Floor {
    return { offset: this.#floor, witness: this.#witnessAt(this.#floor) as number };
  }

  /** Witnesses of trimmed entries are not kept, except the last one: the oldest retained entry has it. */
  #witnessAt(offset: number): number | undefined {
    if (offset === 0) return this.#origin;
    return offset < this.#floor ? undefined : this.#entries[offset - 1]?.witness;
  }

  /**
   * Checks the whole call before it places the first entry, so `after` means the channel as it was before the call.
   * The id of the call is remembered with its positions: a queue may store a call again whose answer it has not
   * received.
   */
  #appendCall({ id, entries }: AppendCall): AppendOutcome {
    const state = {
      epoch: this.#epoch,
      top: this.#top,
      witnessAt: (offset: number) => this.#witnessAt(offset),
      lastOf: (name: string) => this.#entries.findLast(({ channel }) => channel === name)?.offset ?? 0,
    };
    for (const entry of entries) {
      // A known key is answered before its condition is checked: the entry after the position may be its own.
      const conflict = this.#answerTo(entry) === undefined ? conflictOf(entry, state) : undefined;
      if (conflict !== undefined) return conflict;
    }
    const appended = entries.map((entry) => this.#answerTo(entry) ?? this.#place(entry));
    this.#calls.set(id, appended);
    return appended;
  }

  /**
   * `time` is for people and follows the wall clock. Durations are measured by the monotonic clock, which does not
   * jump.
   */
  #place({ channel, type, data, key, sender, idempotencyKey }: NewEntry): Appended {
    const [offset, witness, time] = [this.#top + 1, makeWitness(), now()];
    const previousWitness = this.#witnessAt(this.#top) as number;
    this.#entries.push({ offset, witness, previousWitness, time: Date.now(), channel, type, data, key, sender });
    this.#times.push(time);
    const appended = { epoch: this.#epoch, offset, witness };
    if (idempotencyKey !== undefined) this.#answers.set(JSON.stringify([channel, idempotencyKey]), { appended, time });
    return appended;
  }

  /** A key counts within its channel: two publishers that do not know each other may choose the same one. */
  #answerTo({ channel, idempotencyKey }: NewEntry): Appended | undefined {
    if (idempotencyKey === undefined) return undefined;
    const answer = this.#answers.get(JSON.stringify([channel, idempotencyKey]));
    if (answer === undefined || answer.time + this.#limits.window <= now()) return undefined;
    return { ...answer.appended, duplicate: true };
  }

  /** Retention: the limit reached first counts, and the newest entry stays. */
  #trim(): void {
    const { events, bytes, age } = this.#limits;
    const newestExpired = now() - age;
    const retained = this.#entries.slice(this.#floor);
    let weight = retained.reduce((sum, entry) => sum + weightOf(entry), 0);
    for (const entry of retained) {
      const size = this.#top - this.#floor;
      const isExpired = (this.#times[this.#floor] as number) <= newestExpired;
      if (size === 1 || (size <= events && weight <= bytes && !isExpired)) return;
      weight -= weightOf(entry);
      this.#floor = entry.offset;
    }
  }

  /** Searches all later entries, trimmed ones too, since the newest of a key counts even when it is trimmed. */
  #isSuperseded({ offset, channel, key }: LogEntry): boolean {
    if (key === undefined) return false;
    return this.#entries.some((other) => other.offset > offset && other.channel === channel && other.key === key);
  }

  /** Retained, or the newest of its key. */
  #isReadable(entry: LogEntry, conflate: boolean): boolean {
    const isRetained = entry.offset > this.#floor;
    if (entry.key === undefined || (isRetained && !conflate)) return isRetained;
    return !this.#isSuperseded(entry);
  }

  /** The highest offset that is missing from pages of the selection. */
  #trimmed(selection: ChannelSelection | undefined, conflate: boolean): number {
    if (selection === undefined) return this.#floor;
    const matches = compileSelection(selection);
    // With `conflate`, the newest of a key is still readable, so an entry with a key is never missing from a page.
    const isLost = (entry: LogEntry) => (conflate ? entry.key === undefined : !this.#isReadable(entry, false));
    const last = this.#entries.findLast(
      (entry) => entry.offset <= this.#floor && matches(entry.channel) && isLost(entry),
    );
    return last?.offset ?? 0;
  }
}
