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
  selects,
  type Tail,
  type TailBatch,
  weightOf,
} from "../../src/log/log.ts";

/**
 * The contract of a log in the plainest form, without any index: it keeps all entries and works out what it may still
 * show. Unlike a good log it can lose its newest entries, as one does that is not durable.
 */
export class PlainLog implements Log {
  readonly epoch: string = makeEpoch();
  readonly #limits: RetentionLimits;
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

  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    this.#assertOpen();
    for (const entry of entries) {
      const last = this.#entries.findLast(({ channel }) => channel === entry.channel)?.offset ?? 0;
      const isRefused = entry.after !== undefined && last > entry.after && this.#answer(entry) === undefined;
      if (isRefused) throw conflict(entry, last);
    }
    const appended = entries.map((entry) => this.#append(entry));
    for (const tail of this.#tails) tail.advance(this.epoch, this.#entries);
    this.#trim();
    return appended;
  }

  async head(selection?: ChannelSelection): Promise<Head> {
    this.#assertOpen();
    this.#trim();
    const newest = this.#entries.at(-1);
    const trimmed = this.#trimmed(selection);
    return { epoch: this.epoch, top: newest?.offset ?? 0, witness: newest?.witness ?? 0, trimmed };
  }

  async witness(offset: number): Promise<number | undefined> {
    this.#assertOpen();
    return offset > this.#floor ? this.#entries[offset - 1]?.witness : undefined;
  }

  async read(after: number, limit: number, selection?: ChannelSelection): Promise<Page> {
    this.#assertOpen();
    this.#trim();
    const behind = this.#entries.filter(({ offset, channel }) => offset > after && selects(selection, channel));
    const entries = behind.filter((entry) => this.#shows(entry)).slice(0, limit);
    const through = entries.length === limit ? (entries.at(-1) as LogEntry).offset : this.#entries.length;
    const conflated = behind.filter(
      (entry) => entry.offset > this.#floor && entry.offset <= through && this.#isSuperseded(entry),
    ).length;
    const trimmed = this.#trimmed(selection);
    return { epoch: this.epoch, entries, through: Math.max(after, through), conflated, trimmed };
  }

  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    this.#assertOpen();
    const shown = this.#entries.filter((entry) => selects(selection, entry.channel) && this.#shows(entry));
    return shown.slice(Math.max(0, shown.length - count));
  }

  async latestByKey(selection: ChannelSelection): Promise<LogEntry[]> {
    this.#assertOpen();
    return this.#entries.filter(
      (entry) => entry.key !== undefined && selects(selection, entry.channel) && !this.#isSuperseded(entry),
    );
  }

  tail(after: number, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    const tail = new PlainTail(Math.min(Math.max(after, this.#floor), this.#entries.length), onEntries, onError);
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
    this.#entries.push({ offset, witness, time, channel, type, data, key, sender });
    const appended = { epoch: this.epoch, offset, witness };
    if (entry.idempotencyKey !== undefined) this.#answered.set(questionOf(entry), { appended, time });
    return appended;
  }

  /** What an entry with the same idempotency key was answered within the window. */
  #answer(entry: NewEntry): Appended | undefined {
    const answered = entry.idempotencyKey === undefined ? undefined : this.#answered.get(questionOf(entry));
    if (answered === undefined || answered.time + this.#limits.window <= Date.now()) return undefined;
    return { ...answered.appended, duplicate: true };
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

  #shows(entry: LogEntry): boolean {
    if (this.#isSuperseded(entry)) return false;
    return entry.offset > this.#floor || entry.key !== undefined;
  }
}

/** Storage for the suite of logs, with plain logs, each seen as `wrap` makes it. */
export function plainStorage(retention: Retention, wrap: (log: Log) => Log = (log) => log) {
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
