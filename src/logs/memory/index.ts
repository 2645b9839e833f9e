import {
  type Appended,
  type ChannelSelection,
  closedError,
  conflict,
  type Head,
  type Log,
  type LogEntry,
  makeEpoch,
  makeWitness,
  type NewEntry,
  type Page,
  type Retention,
  type RetentionLimits,
  retentionLimits,
  type Tail,
  type TailBatch,
} from "../../log/log.ts";
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
export function memoryLog(options: MemoryLogOptions = {}): Log {
  const limits = retentionLimits(options, { maxEvents: 10_000, maxBytes: "64mb" });
  warnWhenOneOfSeveral();
  return new MemoryLog(limits);
}

class MemoryLog implements Log {
  readonly epoch: string = makeEpoch();
  readonly #limits: RetentionLimits;
  readonly #ring = new EntryRing();
  readonly #channels = new MemoryChannels();
  /** What entries with an idempotency key were answered, by channel and key, oldest first. */
  readonly #answered = new Map<string, { appended: Appended; time: number }>();
  readonly #tails = new Set<MemoryTail>();
  #closed = false;

  constructor(limits: RetentionLimits) {
    this.#limits = limits;
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

  async head(selection?: ChannelSelection): Promise<Head> {
    this.#assertOpen();
    this.#trim(Date.now());
    const { top, newest } = this.#ring;
    return { epoch: this.epoch, top, witness: newest?.witness ?? 0, trimmed: this.#trimmed(selection) };
  }

  async witness(offset: number): Promise<number | undefined> {
    this.#assertOpen();
    return this.#ring.at(offset)?.witness;
  }

  async read(after: number, limit: number, selection?: ChannelSelection): Promise<Page> {
    this.#assertOpen();
    this.#trim(Date.now());
    const found = this.#channels.selected(selection).map((channel) => channel.read(after, limit, this.#ring.trimmed));
    const entries = found
      .flatMap((channel) => channel.entries)
      .sort(byOffset)
      .slice(0, limit);
    const through = (entries.length === limit ? entries.at(-1)?.offset : undefined) ?? Math.max(after, this.#ring.top);
    const superseded = found.flatMap((channel) => channel.superseded);
    return {
      epoch: this.epoch,
      entries,
      through,
      conflated: superseded.filter((offset) => offset <= through).length,
      trimmed: this.#trimmed(selection),
    };
  }

  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    this.#assertOpen();
    const channels = this.#channels.selected(selection);
    const found = channels.flatMap((channel) => channel.lastEntries(count, this.#ring.trimmed)).sort(byOffset);
    return found.slice(Math.max(0, found.length - count));
  }

  async latestByKey(selection: ChannelSelection): Promise<LogEntry[]> {
    this.#assertOpen();
    const channels = this.#channels.selected(selection);
    return channels.flatMap((channel) => channel.latest()).sort(byOffset);
  }

  tail(after: number, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    const tail = new MemoryTail(this, after, onEntries, onError, (closed) => this.#tails.delete(closed));
    this.#tails.add(tail);
    queueMicrotask(() => tail.advance());
    return tail;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const tail of this.#tails) tail.close();
  }

  /** Everything retained behind an offset, for its tails. */
  entriesAfter(after: number): LogEntry[] {
    return this.#ring.behind(after);
  }

  #push(entry: NewEntry, time: number): Appended {
    const { channel, type, data, key, sender } = entry;
    const offset = this.#ring.top + 1;
    const placed: LogEntry = { offset, witness: makeWitness(), time, channel, type, data, key, sender };
    this.#ring.push(placed);
    this.#channels.add(placed, this.#ring.trimmed);
    const appended = { epoch: this.epoch, offset, witness: placed.witness };
    if (entry.idempotencyKey !== undefined) this.#answered.set(answerKey(entry), { appended, time });
    return appended;
  }

  /** What an entry with the same idempotency key was answered, if that is not too long ago. */
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
    if (entry.after === undefined || this.#answer(entry) !== undefined) return;
    const last = this.#channels.last(entry.channel);
    if (last > entry.after) throw conflict(entry, last);
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

  #trimmed(selection: ChannelSelection | undefined): number {
    return selection === undefined ? this.#ring.trimmed : this.#channels.trimmed(selection);
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}

function byOffset(a: LogEntry, b: LogEntry): number {
  return a.offset - b.offset;
}

/** No two pairs of channel and key have the same. */
function answerKey({ channel, idempotencyKey }: NewEntry): string {
  return JSON.stringify([channel, idempotencyKey]);
}
