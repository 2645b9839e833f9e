import { type CompleteLog, verify } from "../../src/log/complete.ts";
import { closedError, conflictOf } from "../../src/log/errors.ts";
import { makeEpoch, makeWitness } from "../../src/log/identity.ts";
import type {
  Appended,
  ChannelSelection,
  Floor,
  Head,
  LocateAnswer,
  Located,
  LocateQuestion,
  LogCapability,
  LogEntry,
  NewEntry,
  Page,
  Position,
  ReadOptions,
  Retention,
  Tail,
  TailBatch,
  ValueOptions,
  ValuePage,
} from "../../src/log/log.ts";
import { type RetentionLimits, retentionLimits, weightOf } from "../../src/log/retention.ts";
import { selects } from "../../src/log/selection.ts";

/**
 * The contract of a log in the plainest form, without any index: it keeps all entries and works out what it may still
 * show. Unlike a good log it can lose its newest entries, as one does that is not durable.
 */
export class PlainLog implements CompleteLog {
  readonly capabilities: ReadonlySet<LogCapability> = new Set([
    "witnesses",
    "last",
    "latestByKey",
    "locate",
    "atomicBatch",
    "conflation",
  ]);
  readonly epoch: string = makeEpoch();
  readonly #limits: RetentionLimits;
  readonly #origin = makeWitness();
  #entries: LogEntry[] = [];
  /** Every entry up to here was trimmed. */
  #floor = 0;
  readonly #tails = new Set<PlainTail>();
  readonly #answered = new Map<string, { appended: Appended; time: number }>();
  #closed = false;

  constructor(limits: RetentionLimits) {
    this.#limits = limits;
  }

  /** Forgets the newest entries. They never were, for all that it knows. */
  lose(count: number): void {
    const top = Math.max(this.#floor, this.#entries.length - count);
    this.#entries = this.#entries.slice(0, top);
    this.#answered.clear();
    for (const tail of this.#tails) tail.position = Math.min(tail.position, top);
  }

  /** A copy of the log as it is, to be restored later. */
  copy(): PlainCopy {
    return { top: this.#entries.length, entries: this.#entries, floor: this.#floor };
  }

  /** Goes back to a copy, as an operator does who restores a backup. Everything after it never was. */
  restore({ top, entries, floor }: PlainCopy): void {
    this.#entries = entries.slice(0, top);
    this.#floor = floor;
    this.#answered.clear();
    for (const tail of this.#tails) tail.position = Math.min(tail.position, top);
  }

  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    this.#assertOpen();
    const state = {
      epoch: this.epoch,
      top: this.#entries.length,
      witnessAt: (offset: number) => this.#witnessAt(offset),
      lastOf: (name: string) => this.#entries.findLast(({ channel }) => channel === name)?.offset ?? 0,
    };
    for (const entry of entries) {
      const conflict = this.#answer(entry) === undefined ? conflictOf(entry, state) : undefined;
      if (conflict !== undefined) throw conflict;
    }
    const appended = entries.map((entry) => this.#append(entry));
    for (const tail of this.#tails) tail.advance(this.epoch, this.#entries);
    this.#trim();
    return appended;
  }

  async head(): Promise<Head> {
    this.#assertOpen();
    this.#trim();
    const top = this.#entries.length;
    return { epoch: this.epoch, top, witness: this.#witnessAt(top) as number, floor: this.#position };
  }

  async witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    this.#assertOpen();
    return offsets.map((offset) => this.#witnessAt(offset));
  }

  async read(after: number, { limit, maxBytes, selection, conflate }: ReadOptions): Promise<Page> {
    this.#assertOpen();
    this.#trim();
    const later = this.#entries.filter(({ offset, channel }) => offset > after && selects(selection, channel));
    const shown = later.filter((entry) => this.#shows(entry, conflate));
    const entries = firstPage(shown, limit, maxBytes);
    const through = entries.length < shown.length ? (entries.at(-1) as LogEntry).offset : this.#entries.length;
    const conflated = later.filter(
      (entry) => conflate && entry.offset > this.#floor && entry.offset <= through && this.#isSuperseded(entry),
    ).length;
    const rest = { trimmed: this.#trimmed(selection), floor: this.#position };
    return { epoch: this.epoch, entries, through: Math.max(after, through), conflated, ...rest };
  }

  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    this.#assertOpen();
    const shown = this.#entries.filter((entry) => selects(selection, entry.channel) && this.#shows(entry, true));
    return shown.slice(Math.max(0, shown.length - count));
  }

  async latestByKey(selection: ChannelSelection, { after, upTo, maxBytes }: ValueOptions): Promise<ValuePage> {
    this.#assertOpen();
    const all = this.#entries.filter(
      (entry) =>
        entry.key !== undefined &&
        entry.offset > after &&
        entry.offset <= upTo &&
        selects(selection, entry.channel) &&
        !this.#isSuperseded(entry),
    );
    const entries = firstPage(all, all.length, maxBytes);
    const through = entries.length < all.length ? (entries.at(-1) as LogEntry).offset : upTo;
    return { epoch: this.epoch, entries, through };
  }

  async locate(questions: readonly LocateQuestion[]): Promise<Located> {
    const head = await this.head();
    return { head, answers: await Promise.all(questions.map((question) => this.#answerOf(question, head))) };
  }

  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    const from = after.epoch === this.epoch ? Math.max(after.offset, this.#floor) : this.#floor;
    const isKnown = this.#witnessAt(from) === after.witness || from > after.offset;
    const begin = isKnown ? from : Math.max(0, Math.min(from, this.#entries.length) - 1);
    const tail = new PlainTail(begin, onEntries, onError);
    this.#tails.add(tail);
    queueMicrotask(() => tail.advance(this.epoch, this.#entries));
    return {
      close: () => {
        tail.closed = true;
        this.#tails.delete(tail);
      },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const tail of this.#tails) tail.closed = true;
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }

  #append(entry: NewEntry): Appended {
    const answer = this.#answer(entry);
    if (answer !== undefined) return answer;
    const { channel, type, data, key, sender } = entry;
    const [offset, time, witness] = [this.#entries.length + 1, Date.now(), makeWitness()];
    const previousWitness = this.#entries.at(-1)?.witness ?? this.#origin;
    this.#entries.push({ offset, witness, previousWitness, time, channel, type, data, key, sender });
    const appended = { epoch: this.epoch, offset, witness };
    if (entry.idempotencyKey !== undefined) this.#answered.set(questionOf(entry), { appended, time });
    return appended;
  }

  /** The answer to an entry with the same idempotency key within the window. */
  #answer(entry: NewEntry): Appended | undefined {
    const answered = entry.idempotencyKey === undefined ? undefined : this.#answered.get(questionOf(entry));
    if (answered === undefined || answered.time + this.#limits.window <= Date.now()) return undefined;
    return { ...answered.appended, duplicate: true };
  }

  get #position(): Floor {
    return { offset: this.#floor, witness: this.#entries[this.#floor - 1]?.witness ?? this.#origin };
  }

  #witnessAt(offset: number): number | undefined {
    const { offset: floor, witness } = this.#position;
    if (offset <= floor) return offset === floor ? witness : undefined;
    return this.#entries[offset - 1]?.witness;
  }

  async #answerOf({ cursor, selection }: LocateQuestion, head: Head): Promise<LocateAnswer> {
    const newest = selection.channels.map((channel) => this.last(1, { channels: [channel], prefixes: [] }));
    const ends = (await Promise.all(newest)).flat().filter(({ type }) => type === "sse:end");
    const values = await this.latestByKey(selection, { after: 0, upTo: head.top, maxBytes: 1 });
    return {
      verification: verify(cursor, head, (offset) => this.#witnessAt(offset)),
      ends: ends.sort((a, b) => a.offset - b.offset),
      trimmed: this.#trimmed(selection),
      hasValues: values.entries.length > 0,
    };
  }

  #trim(): void {
    const { events, bytes, age } = this.#limits;
    const oldestTime = Date.now() - age;
    const retained = this.#entries.slice(this.#floor);
    let weight = retained.reduce((sum, entry) => sum + weightOf(entry), 0);
    for (let oldest = retained[0]; oldest !== undefined && retained.length > 1; oldest = retained[0]) {
      if (retained.length <= events && weight <= bytes && oldest.time > oldestTime) return;
      retained.shift();
      weight -= weightOf(oldest);
      this.#floor = oldest.offset;
    }
  }

  #trimmed(selection: ChannelSelection | undefined): number {
    if (selection === undefined) return this.#floor;
    const gone = this.#entries.findLast(
      ({ offset, channel, key }) => offset <= this.#floor && key === undefined && selects(selection, channel),
    );
    return gone?.offset ?? 0;
  }

  #isSuperseded({ offset, channel, key }: LogEntry): boolean {
    if (key === undefined) return false;
    return this.#entries.some((other) => other.offset > offset && other.channel === channel && other.key === key);
  }

  #shows(entry: LogEntry, conflate: boolean): boolean {
    if (this.#isSuperseded(entry)) return !conflate && entry.offset > this.#floor;
    return entry.offset > this.#floor || entry.key !== undefined;
  }
}

/** What {@link PlainLog.restore} goes back to. */
export interface PlainCopy {
  readonly top: number;
  readonly entries: readonly LogEntry[];
  readonly floor: number;
}

/** As many of the entries as a page may have. */
function firstPage(entries: readonly LogEntry[], limit: number, maxBytes: number): LogEntry[] {
  let bytes = 0;
  const end = entries.findIndex((entry, index) => {
    bytes += weightOf(entry);
    return index === limit || (index > 0 && bytes > maxBytes);
  });
  return end === -1 ? [...entries] : entries.slice(0, end);
}

/** Storage for the suite of logs, with plain logs, each seen as `wrap` makes it. */
export function plainStorage(retention: Retention, wrap: (log: CompleteLog) => CompleteLog = (log) => log) {
  const limits = retentionLimits(retention, { maxEvents: 10_000, maxBytes: "64mb" });
  const logs: PlainLog[] = [];
  return {
    open() {
      const log = new PlainLog(limits);
      logs.push(log);
      return wrap(log);
    },
    lose(count: number) {
      for (const log of logs) log.lose(count);
    },
  };
}

function questionOf({ channel, idempotencyKey }: NewEntry): string {
  return JSON.stringify([channel, idempotencyKey]);
}

class PlainTail {
  position: number;
  closed = false;
  readonly #onEntries: (batch: TailBatch) => void;
  readonly #onError: (error: unknown) => void;
  #advancing = false;

  constructor(after: number, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void) {
    this.position = after;
    this.#onEntries = onEntries;
    this.#onError = onError;
  }

  advance(epoch: string, entries: readonly LogEntry[]): void {
    if (this.#advancing) return;
    this.#advancing = true;
    while (!this.closed && this.position < entries.length) {
      const behind = entries.slice(this.position);
      this.position = entries.length;
      try {
        this.#onEntries({ epoch, entries: behind });
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#advancing = false;
  }
}
