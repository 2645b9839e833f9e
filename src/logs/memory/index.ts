import { checkOptions } from "../../base/options.ts";
import { type CompleteLog, verify } from "../../log/complete.ts";
import { closedError, conflictOf } from "../../log/errors.ts";
import { makeEpoch, makeWitness } from "../../log/identity.ts";
import type {
  Appended,
  ChannelSelection,
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
} from "../../log/log.ts";
import { type RetentionLimits, retentionChecks, retentionLimits, weightOf } from "../../log/retention.ts";
import { MemoryChannels } from "./channels.ts";
import { warnWhenOneOfSeveral } from "./processes.ts";
import { EntryRing } from "./ring.ts";
import { MemoryTail } from "./tail.ts";

/** The options of {@link memoryLog}. Kept are 10,000 entries of 64 MB together, unless they say otherwise. */
export interface MemoryLogOptions extends Retention {}

/**
 * The default log: a ring in the memory of this process. Survives nothing, and knows nothing of other processes: it says so
 * once on the console where it notices that it is one of several (a cluster worker, pm2).
 *
 * @throws {SourcecastTypeError} for options with values that are not allowed.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { memoryLog } from "sourcecast/memory";
 *
 * const hub = createHub({ log: memoryLog({ maxEvents: 1_000 }) });
 * await hub.close();
 * ```
 */
export function memoryLog(options: MemoryLogOptions = {}): CompleteLog {
  checkOptions(options, retentionChecks, "memoryLog()");
  const limits = retentionLimits(options, { maxEvents: 10_000, maxBytes: "64mb" });
  warnWhenOneOfSeveral();
  return new MemoryLog(limits);
}

class MemoryLog implements CompleteLog {
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
  readonly #ring: EntryRing;
  readonly #channels = new MemoryChannels();
  /** The positions of entries with an idempotency key, by channel and key, oldest first. */
  readonly #answered = new Map<string, { appended: Appended; time: number }>();
  readonly #tails = new Set<MemoryTail>();
  #closed = false;

  constructor(limits: RetentionLimits) {
    this.#limits = limits;
    this.#ring = new EntryRing(limits.witnessAge);
  }

  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    this.#assertOpen();
    const time = Date.now();
    this.#forgetAnswers(time);
    for (const entry of entries) this.#assertExpected(entry);
    const appended = entries.map((entry) => this.#answer(entry) ?? this.#push(entry, time));
    // Before anything is trimmed: a burst longer than the log is no reason for a tail to miss anything.
    for (const tail of this.#tails) tail.advance();
    this.#trim(time);
    return appended;
  }

  async head(): Promise<Head> {
    this.#assertOpen();
    this.#trim(Date.now());
    const { top, witness, floor } = this.#ring;
    return { epoch: this.epoch, top, witness, floor };
  }

  async witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    this.#assertOpen();
    return offsets.map((offset) => this.#ring.witnessAt(offset));
  }

  async read(after: number, { limit, maxBytes, selection, conflate }: ReadOptions): Promise<Page> {
    this.#assertOpen();
    this.#trim(Date.now());
    const { floor, top } = this.#ring;
    const found = this.#channels
      .selected(selection)
      .map((channel) => channel.read(after, limit, floor.offset, conflate));
    const all = found.flatMap((channel) => channel.entries).sort(byOffset);
    const entries = firstPage(all, limit, maxBytes);
    const isWhole = entries.length === all.length && entries.length < limit;
    const through = isWhole ? Math.max(after, top) : (entries.at(-1)?.offset ?? Math.max(after, top));
    const superseded = found.flatMap((channel) => channel.superseded);
    return {
      epoch: this.epoch,
      entries,
      through,
      conflated: superseded.filter((offset) => offset <= through).length,
      trimmed: selection === undefined ? floor.offset : this.#channels.trimmed(selection),
      floor,
    };
  }

  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    this.#assertOpen();
    const channels = this.#channels.selected(selection);
    const found = channels.flatMap((channel) => channel.lastEntries(count, this.#ring.trimmed)).sort(byOffset);
    return found.slice(Math.max(0, found.length - count));
  }

  async latestByKey(selection: ChannelSelection, { after, upTo, maxBytes }: ValueOptions): Promise<ValuePage> {
    this.#assertOpen();
    const channels = this.#channels.selected(selection);
    const all = channels
      .flatMap((channel) => channel.latest())
      .filter(({ offset }) => offset > after && offset <= upTo);
    const entries = firstPage(all.sort(byOffset), Number.POSITIVE_INFINITY, maxBytes);
    const through = entries.length < all.length ? (entries.at(-1)?.offset as number) : upTo;
    return { epoch: this.epoch, entries, through };
  }

  async locate(questions: readonly LocateQuestion[]): Promise<Located> {
    const head = await this.head();
    return { head, answers: questions.map((question) => this.#answerOf(question, head)) };
  }

  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    const from = after.epoch === this.epoch ? after.offset : 0;
    const isOurs = this.#ring.witnessAt(from) === after.witness;
    const begin = isOurs || from < this.#ring.trimmed ? from : Math.max(0, Math.min(from, this.#ring.top) - 1);
    const tail = new MemoryTail(this, begin, onEntries, onError, (closed) => this.#tails.delete(closed));
    this.#tails.add(tail);
    queueMicrotask(() => tail.advance());
    return tail;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const tail of this.#tails) tail.close();
  }

  /** Everything retained after an offset, for its tails. */
  entriesAfter(after: number): LogEntry[] {
    return this.#ring.entriesAfter(after);
  }

  // The log as a conditional append sees it.

  get top(): number {
    return this.#ring.top;
  }

  witnessAt(offset: number): number | undefined {
    return this.#ring.witnessAt(offset);
  }

  lastOf(channel: string): number {
    return this.#channels.last(channel);
  }

  #answerOf({ cursor, selection }: LocateQuestion, head: Head): LocateAnswer {
    const channels = this.#channels.selected({ channels: selection.channels, prefixes: [] });
    const newest = channels.flatMap((channel) => channel.lastEntries(1, this.#ring.trimmed));
    return {
      verification: verify(cursor, head, (offset) => this.#ring.witnessAt(offset)),
      ends: newest.filter(({ type }) => type === "sse:end").sort(byOffset),
      trimmed: this.#channels.trimmed(selection),
      hasValues: this.#channels.selected(selection).some((channel) => channel.latest().length > 0),
    };
  }

  #push(entry: NewEntry, time: number): Appended {
    const { channel, type, data, key, sender } = entry;
    const offset = this.#ring.top + 1;
    const [witness, previousWitness] = [makeWitness(), this.#ring.witness];
    const placed: LogEntry = { offset, witness, previousWitness, time, channel, type, data, key, sender };
    this.#ring.push(placed);
    this.#channels.add(placed, this.#ring.trimmed);
    const appended = { epoch: this.epoch, offset, witness: placed.witness };
    if (entry.idempotencyKey !== undefined) this.#answered.set(answerKey(entry), { appended, time });
    return appended;
  }

  /** The position of an entry with the same idempotency key within the window. */
  #answer(entry: NewEntry): Appended | undefined {
    const answered = entry.idempotencyKey === undefined ? undefined : this.#answered.get(answerKey(entry));
    return answered && { ...answered.appended, duplicate: true };
  }

  #forgetAnswers(time: number): void {
    for (const [key, answered] of this.#answered) {
      if (answered.time + this.#limits.window > time) return;
      this.#answered.delete(key);
    }
  }

  #assertExpected(entry: NewEntry): void {
    const conflict = this.#answer(entry) === undefined ? conflictOf(entry, this) : undefined;
    if (conflict !== undefined) throw conflict;
  }

  #trim(time: number): void {
    const ring = this.#ring;
    const { events, bytes, age } = this.#limits;
    while (ring.size > 1) {
      const isOver = ring.size > events || ring.bytes > bytes || (ring.oldest as LogEntry).time + age <= time;
      if (!isOver) return;
      this.#channels.trim(ring.shift());
    }
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
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

function byOffset(a: LogEntry, b: LogEntry): number {
  return a.offset - b.offset;
}

/** No two pairs of channel and key have the same. */
function answerKey({ channel, idempotencyKey }: NewEntry): string {
  return JSON.stringify([channel, idempotencyKey]);
}
