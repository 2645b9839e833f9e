import { SourcecastError, SourcecastTypeError } from "../errors.ts";
import { bytes, type Duration, milliseconds, type Size } from "../units.ts";
import {
  type Appended,
  type Head,
  type Log,
  type LogEntry,
  makeEpoch,
  makeWitness,
  type NewEntry,
  type Page,
  type Selection,
  selects,
  type Tail,
  type TailBatch,
  weightOf,
} from "./log.ts";

/** The options of {@link memoryLog}. */
export interface MemoryLogOptions {
  /** Entries that are kept at most. @default 10_000 */
  maxEvents?: number;
  /** What is kept at most, in bytes of data, types and names. @default "64mb" */
  maxBytes?: Size;
  /** How long an entry is kept at most. @default no limit */
  maxAge?: Duration;
  /** How long a repeated `idempotencyKey` is recognised. @default "5m" */
  idempotencyWindow?: Duration;
}

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
  warnWhenOneOfSeveral();
  return new MemoryLog(options);
}

/** What is known of one channel: where its retained entries are, its newest by key, and what was trimmed of it. */
interface ChannelIndex {
  /** Retained ones, the newest of each key, and some that are dead: trimmed, and superseded where they had a key. */
  entries: LogEntry[];
  newest: Map<string, LogEntry> | null;
  /** Highest offset lost to retention. */
  trimmed: number;
  dead: number;
}

/** How many channels of which nothing is retained are remembered, so that a quiet one reports no false gap. */
const rememberedChannels = 65_536;

class MemoryLog implements Log {
  readonly #epoch = makeEpoch();
  readonly #retention: { events: number; bytes: number; age: number };
  readonly #window: number;
  /** Retained entries behind `#start`; the offset of the one at index i is `#base + i + 1`. */
  #entries: LogEntry[] = [];
  #start = 0;
  #base = 0;
  #bytes = 0;
  readonly #channels = new Map<string, ChannelIndex>();
  /** Highest trimmed offset of channels that are no longer in `#channels`, oldest first. */
  readonly #forgotten = new Map<string, number>();
  /** The same for those dropped from `#forgotten`. */
  #forgottenFloor = 0;
  readonly #recent = new Map<string, { appended: Appended; time: number }>();
  readonly #tails = new Set<MemoryTail>();
  #closed = false;

  constructor(options: MemoryLogOptions) {
    this.#retention = {
      events: options.maxEvents ?? 10_000,
      bytes: bytes(options.maxBytes ?? "64mb", "maxBytes"),
      age: options.maxAge === undefined ? Number.POSITIVE_INFINITY : milliseconds(options.maxAge, "maxAge"),
    };
    if (!Number.isSafeInteger(this.#retention.events) || this.#retention.events < 1) {
      throw new SourcecastTypeError(
        "ERR_SSE_OPTION",
        `The option maxEvents is ${options.maxEvents}; it takes a whole number, one or more`,
      );
    }
    this.#window = milliseconds(options.idempotencyWindow ?? "5m", "idempotencyWindow");
  }

  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    this.#assertOpen();
    for (const entry of entries) this.#assertExpected(entry);
    const time = Date.now();
    this.#forgetKeys(time);
    const appended = entries.map((entry) => this.#repeated(entry) ?? this.#push(entry, time));
    this.#trim(time);
    for (const tail of this.#tails) tail.advance();
    return appended;
  }

  async head(selection?: Selection): Promise<Head> {
    this.#assertOpen();
    this.#trim(Date.now());
    const newest = this.#entries[this.#entries.length - 1];
    return { epoch: this.#epoch, top: this.#top, witness: newest?.witness ?? 0, trimmed: this.#trimmed(selection) };
  }

  async read(after: number, limit: number, selection?: Selection): Promise<Page> {
    this.#assertOpen();
    this.#trim(Date.now());
    const found: LogEntry[] = [];
    const superseded: LogEntry[] = [];
    for (const index of this.#selected(selection)) {
      let taken = 0;
      for (let at = firstBehind(index.entries, after); at < index.entries.length && taken < limit; at++) {
        const entry = index.entries[at] as LogEntry;
        if (entry.key === undefined && !this.#isRetained(entry)) continue;
        if (!isNewest(index, entry)) {
          superseded.push(entry);
          continue;
        }
        found.push(entry);
        taken++;
      }
    }
    found.sort(byOffset);
    const complete = found.length < limit;
    found.length = Math.min(found.length, limit);
    const through = complete ? Math.max(after, this.#top) : (found[limit - 1] as LogEntry).offset;
    return {
      epoch: this.#epoch,
      entries: found,
      through,
      conflated: superseded.filter((entry) => entry.offset <= through).length,
      trimmed: this.#trimmed(selection),
    };
  }

  async last(count: number, selection: Selection): Promise<LogEntry[]> {
    this.#assertOpen();
    const found: LogEntry[] = [];
    for (const index of this.#selected(selection)) {
      let taken = 0;
      for (let at = index.entries.length - 1; at >= 0 && taken < count; at--) {
        const entry = index.entries[at] as LogEntry;
        if (!isNewest(index, entry) || (entry.key === undefined && !this.#isRetained(entry))) continue;
        found.push(entry);
        taken++;
      }
    }
    found.sort(byOffset);
    return found.slice(Math.max(0, found.length - count));
  }

  async latest(selection: Selection): Promise<LogEntry[]> {
    this.#assertOpen();
    const found = this.#selected(selection).flatMap((index) => [...(index.newest?.values() ?? [])]);
    return found.sort(byOffset);
  }

  tail(after: number, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    const tail = new MemoryTail(
      after,
      (from) => this.#behind(from),
      this.#epoch,
      onEntries,
      onError,
      () => {
        this.#tails.delete(tail);
      },
    );
    this.#tails.add(tail);
    queueMicrotask(() => tail.advance());
    return tail;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const tail of this.#tails) tail.close();
  }

  get #top(): number {
    return this.#base + this.#entries.length;
  }

  #push(entry: NewEntry, time: number): Appended {
    const { channel, type, data, key, sender } = entry;
    const placed: LogEntry = { offset: this.#top + 1, witness: makeWitness(), time, channel, type, data, key, sender };
    this.#entries.push(placed);
    this.#bytes += weightOf(placed);
    const index = this.#indexOf(channel);
    index.entries.push(placed);
    if (key !== undefined) {
      index.newest ??= new Map();
      const previous = index.newest.get(key);
      if (previous !== undefined && !this.#isRetained(previous)) this.#bury(index);
      index.newest.set(key, placed);
    }
    const appended = { epoch: this.#epoch, offset: placed.offset, witness: placed.witness };
    if (entry.idempotencyKey !== undefined) this.#recent.set(recentKey(entry), { appended, time });
    return appended;
  }

  /** What an entry with the same idempotency key was answered, if that is not too long ago. */
  #repeated(entry: NewEntry): Appended | undefined {
    const recent = entry.idempotencyKey === undefined ? undefined : this.#recent.get(recentKey(entry));
    return recent && { ...recent.appended, duplicate: true };
  }

  #forgetKeys(time: number): void {
    for (const [key, recent] of this.#recent) {
      if (recent.time + this.#window > time) return;
      this.#recent.delete(key);
    }
  }

  #assertExpected(entry: NewEntry): void {
    if (entry.after === undefined || this.#repeated(entry) !== undefined) return;
    const index = this.#channels.get(entry.channel);
    const last = index?.entries[index.entries.length - 1]?.offset ?? this.#forgotten.get(entry.channel) ?? 0;
    if (last <= entry.after) return;
    throw new SourcecastError(
      "ERR_SSE_CONFLICT",
      `The channel "${entry.channel}" has an entry at offset ${last}, behind the expected ${entry.after}; read it and try again`,
    );
  }

  #trim(time: number): void {
    const { events, bytes: maxBytes, age } = this.#retention;
    while (this.#entries.length - this.#start > 1) {
      const oldest = this.#entries[this.#start] as LogEntry;
      const over = this.#entries.length - this.#start > events || this.#bytes > maxBytes || oldest.time + age <= time;
      if (!over) break;
      this.#start++;
      this.#bytes -= weightOf(oldest);
      this.#unindex(oldest);
    }
    // Moving the rest of the array is paid for by the entries that were trimmed since the last time.
    if (this.#start > 1_024 && this.#start * 2 > this.#entries.length) {
      this.#entries.splice(0, this.#start);
      this.#base += this.#start;
      this.#start = 0;
    }
  }

  /** The newest of a key is still there for `latest` and `read`; anything else is lost to who has not read it. */
  #unindex(entry: LogEntry): void {
    const index = this.#channels.get(entry.channel);
    if (index === undefined) return;
    if (entry.key !== undefined && isNewest(index, entry)) return;
    if (entry.key === undefined) index.trimmed = entry.offset;
    this.#bury(index);
    if (index.entries.length === 0) this.#forget(entry.channel, index.trimmed);
  }

  /** One more entry of the channel is of no use; the list is cleaned when half of it is. */
  #bury(index: ChannelIndex): void {
    index.dead++;
    if (index.dead * 2 <= index.entries.length) return;
    index.entries = index.entries.filter(
      (entry) => this.#isRetained(entry) || (entry.key !== undefined && isNewest(index, entry)),
    );
    index.dead = 0;
  }

  #forget(channel: string, trimmed: number): void {
    this.#channels.delete(channel);
    this.#forgotten.set(channel, trimmed);
    if (this.#forgotten.size <= rememberedChannels) return;
    const [oldest, offset] = this.#forgotten.entries().next().value as [string, number];
    this.#forgotten.delete(oldest);
    this.#forgottenFloor = Math.max(this.#forgottenFloor, offset);
  }

  #isRetained(entry: LogEntry): boolean {
    return entry.offset > this.#base + this.#start;
  }

  #trimmed(selection: Selection | undefined): number {
    if (selection === undefined) return this.#base + this.#start;
    let trimmed = this.#forgottenFloor;
    for (const index of this.#selected(selection)) trimmed = Math.max(trimmed, index.trimmed);
    for (const channel of selection.channels) trimmed = Math.max(trimmed, this.#forgotten.get(channel) ?? 0);
    if (selection.prefixes.length === 0) return trimmed;
    for (const [channel, offset] of this.#forgotten) {
      if (offset > trimmed && selects(selection, channel)) trimmed = offset;
    }
    return trimmed;
  }

  #indexOf(channel: string): ChannelIndex {
    let index = this.#channels.get(channel);
    if (index === undefined) {
      index = { entries: [], newest: null, trimmed: this.#forgotten.get(channel) ?? this.#forgottenFloor, dead: 0 };
      this.#forgotten.delete(channel);
      this.#channels.set(channel, index);
    }
    return index;
  }

  #selected(selection: Selection | undefined): ChannelIndex[] {
    if (selection !== undefined && selection.prefixes.length === 0) {
      return [...new Set(selection.channels)].flatMap((channel) => this.#channels.get(channel) ?? []);
    }
    const found: ChannelIndex[] = [];
    for (const [channel, index] of this.#channels) if (selects(selection, channel)) found.push(index);
    return found;
  }

  #behind(after: number): LogEntry[] {
    return this.#entries.slice(Math.max(this.#start, after - this.#base));
  }

  #assertOpen(): void {
    if (this.#closed) throw new SourcecastError("ERR_SSE_CLOSED", "The log was used after close(); make a new one");
  }
}

class MemoryTail implements Tail {
  #position: number;
  readonly #behind: (after: number) => LogEntry[];
  readonly #epoch: string;
  readonly #onEntries: (batch: TailBatch) => void;
  readonly #onError: (error: unknown) => void;
  #onClose: (() => void) | null;

  constructor(
    after: number,
    behind: (after: number) => LogEntry[],
    epoch: string,
    onEntries: (batch: TailBatch) => void,
    onError: (error: unknown) => void,
    onClose: () => void,
  ) {
    this.#position = after;
    this.#behind = behind;
    this.#epoch = epoch;
    this.#onEntries = onEntries;
    this.#onError = onError;
    this.#onClose = onClose;
  }

  advance(): void {
    const entries = this.#onClose === null ? [] : this.#behind(this.#position);
    const last = entries[entries.length - 1];
    if (last === undefined) return;
    this.#position = last.offset;
    try {
      this.#onEntries({ epoch: this.#epoch, entries });
    } catch (error) {
      this.#onError(error);
    }
  }

  close(): void {
    this.#onClose?.();
    this.#onClose = null;
  }
}

/** True when no later entry of the channel has the same key. */
function isNewest(index: ChannelIndex, entry: LogEntry): boolean {
  return entry.key === undefined || index.newest?.get(entry.key) === entry;
}

function firstBehind(entries: readonly LogEntry[], after: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as LogEntry).offset > after) high = middle;
    else low = middle + 1;
  }
  return low;
}

function byOffset(a: LogEntry, b: LogEntry): number {
  return a.offset - b.offset;
}

function recentKey(entry: NewEntry): string {
  return `${entry.channel}\n${entry.idempotencyKey}`;
}

let warned = false;

function warnWhenOneOfSeveral(): void {
  const { process } = globalThis as {
    process?: {
      env?: Record<string, string | undefined>;
      getBuiltinModule?: (id: string) => { isWorker?: boolean } | undefined;
    };
  };
  const isWorker = process?.getBuiltinModule?.("node:cluster")?.isWorker === true;
  const isPm2 = process?.env?.NODE_APP_INSTANCE !== undefined || process?.env?.pm_id !== undefined;
  if (warned || !(isWorker || isPm2)) return;
  warned = true;
  // biome-ignore lint/suspicious/noConsole: it loses events, and there is no hub yet whose onError could be told
  console.warn(
    "sourcecast: memoryLog() is used in one of several processes: events that the others publish do not arrive here. " +
      "Use sqliteLog() from sourcecast/sqlite on one machine, or a log on Redis, NATS or PostgreSQL across machines.",
  );
}
