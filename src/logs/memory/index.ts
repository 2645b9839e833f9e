// `sourcecast/memory`: the default log, a ring in the memory of this process.
import { setImmediateOrTimeout } from "../../base/clock.ts";
import { checkOptions } from "../../base/options.ts";
import type { Duration, Size } from "../../base/units.ts";
import { clearEntry, emptySlot } from "../../log/cleared.ts";
import { type CompleteLog, verify } from "../../log/complete.ts";
import { closedError, conflictOf } from "../../log/errors.ts";
import type { TailPage } from "../../log/follow-tail.ts";
import { IdempotencyWindow } from "../../log/idempotency-window.ts";
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
import { type RetentionLimits, retentionChecks, retentionLimits } from "../../log/retention.ts";
import { TailFanout } from "../../log/tail-fanout.ts";
import { distinct, MemoryChannels } from "./channels.ts";
import { PageReader } from "./pages.ts";
import { warnWhenOneOfSeveral } from "./processes.ts";
import { EntryRing } from "./ring.ts";

/** The options of {@link memoryLog}. */
export interface MemoryLogOptions extends Retention {
  /** Entries; the oldest are removed first. @default 10_000 */
  maxEvents?: number;
  /** Bytes for data, types and names, approximately; the newest entry is kept, however large. @default "64mb" */
  maxBytes?: Size;
  /** Age in time, measured by a clock that never jumps. @default no limit */
  maxAge?: Duration;
  /** How long a repeated `idempotencyKey` is recognized, as a time. @default "5m" */
  idempotencyWindow?: Duration;
  /**
   * How long the witness of a removed entry is kept. A client of a quiet channel that was away for less resumes without
   * a false gap. At most about 4 million witnesses are kept, which take 16 MB. @default "1h"
   */
  witnessAge?: Duration;
}

/**
 * The default log: a ring in the memory of this process. It does not survive the process, and knows nothing of other
 * processes. Where it detects that it is one of several (a cluster worker, pm2), it warns once on the console.
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
  const limits = retentionLimits(options, { maxEvents: 10_000, maxBytes: "64mb", witnessAge: "1h" });
  warnWhenOneOfSeveral();
  return new MemoryLog(limits);
}

/** Entries that one call removes, beyond as many as it appends. The rest is removed in turns of their own. */
const entriesPerTrim = 1_024;
/** Entries and bytes that a tail reads at once. */
const tailPageEntries = 1_000;
const tailPageBytes = 4 * 1024 ** 2;

/**
 * Every method does its work in one turn and is asynchronous only for the contract. So each answer is of one state,
 * and no call can see another one half done: a call of several entries is stored whole or not at all (`atomicBatch`).
 *
 * The epoch is new with each log, because nothing is left of the log of an earlier process. A client of that log is
 * told so, and its cursor is never mistaken for a position of this one.
 */
class MemoryLog implements CompleteLog {
  readonly capabilities: ReadonlySet<LogCapability> = new Set([
    "witnesses",
    "last",
    "latestByKey",
    "locate",
    "atomicBatch",
    "conflation",
    "clear",
  ]);
  readonly epoch: string = makeEpoch();
  readonly #ring: EntryRing;
  readonly #channels = new MemoryChannels();
  readonly #pages: PageReader;
  readonly #window: IdempotencyWindow;
  /** Nothing else writes to this log, so there is nothing to poll for. */
  readonly #tails: TailFanout = new TailFanout({ read: (after) => this.#tailPage(after) }, { poll: false });
  readonly #witnessAt = (offset: number): number | undefined => this.#ring.witnessAt(offset);
  #isTrimming = false;
  #closed = false;

  constructor(limits: RetentionLimits) {
    this.#ring = new EntryRing(limits);
    this.#pages = new PageReader(this.#ring, this.#channels);
    this.#window = new IdempotencyWindow(limits.window);
  }

  /**
   * Checks all entries of the call before it places the first one, so a conflict leaves nothing behind: `after` means
   * the channel as it was before the call. An entry whose idempotency key is known is answered whatever its `after`
   * says.
   */
  async append(entries: readonly NewEntry[]): Promise<Appended[]> {
    this.#assertOpen();
    for (const entry of entries) {
      const conflict = this.#window.find(entry) === undefined ? conflictOf(entry, this) : undefined;
      if (conflict !== undefined) throw conflict;
    }
    const time = Date.now();
    const placed: LogEntry[] = [];
    // Searched once more, for a key that an earlier entry of the same call has added.
    const appended = entries.map((entry) => this.#window.find(entry) ?? this.#place(entry, time, placed));
    // Before retention: a burst that is longer than the log reaches the tails whole.
    this.#tails.offer(this.epoch, placed);
    this.#trim(placed.length);
    return appended;
  }

  async head(): Promise<Head> {
    this.#assertOpen();
    return this.#head();
  }

  /**
   * The head comes first, since it trims what has expired: `trimmed` and `floor` must account for the entries that the
   * page no longer finds.
   */
  async read(after: number, options: ReadOptions): Promise<Page> {
    this.#assertOpen();
    const { floor } = this.#head();
    const { selection, conflate } = options;
    const trimmed = selection === undefined ? floor.offset : this.#channels.trimmed(selection, conflate);
    return { epoch: this.epoch, ...this.#pages.read(after, options), trimmed, floor };
  }

  /** Fed by `append` alone, without a timer, so it keeps no process alive. */
  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    this.#assertOpen();
    return this.#tails.add(after, onEntries, onError);
  }

  /** Appends are settled in the turn of their call, so there is none to wait for. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#tails.close();
  }

  async witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    this.#assertOpen();
    return offsets.map((offset) => this.#ring.witnessAt(offset));
  }

  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    this.#assertOpen();
    return this.#pages.last(count, selection);
  }

  async latestByKey(selection: ChannelSelection, options: ValueOptions): Promise<ValuePage> {
    this.#assertOpen();
    return { epoch: this.epoch, ...this.#pages.values(selection, options) };
  }

  /**
   * In one turn, like every other method, so no reader sees a part of it. Values that retention took from the sequence have no
   * slot in it any more.
   */
  async clear(channel: string): Promise<Appended | null> {
    this.#assertOpen();
    this.#head();
    const offsets = this.#channels.clear(channel).map(({ offset }) => offset);
    if (offsets.length === 0) return null;
    for (const offset of offsets) {
      const entry = this.#ring.at(offset);
      if (entry !== undefined) this.#ring.replace(emptySlot(entry));
    }
    this.#window.forgetChannel(channel);
    const range = { from: offsets.reduce((a, b) => Math.min(a, b)), to: offsets.reduce((a, b) => Math.max(a, b)) };
    const [appended] = await this.append([clearEntry(channel, range)]);
    return appended as Appended;
  }

  /** One head for all, read first: it trims, so that the answers are about what remains. */
  async locate(questions: readonly LocateQuestion[]): Promise<Located> {
    this.#assertOpen();
    const head = this.#head();
    return { head, answers: questions.map((question) => this.#answerOf(question, head)) };
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

  /**
   * Pushes the entry before the channel learns of it, and both before the tails do: a handler of a tail may read the
   * log at once. `placed` collects what is new, without the duplicates.
   */
  #place(entry: NewEntry, time: number, placed: LogEntry[]): Appended {
    const { channel, type, data, key, sender } = entry;
    const ring = this.#ring;
    const [offset, witness] = [ring.top + 1, makeWitness()];
    const added: LogEntry = { offset, witness, previousWitness: ring.witness, time, channel, type, data, key, sender };
    ring.push(added);
    this.#channels.add(added, ring.floor.offset);
    placed.push(added);
    const appended = { epoch: this.epoch, offset, witness };
    this.#window.add(entry, appended);
    return appended;
  }

  /** Trims first, so that a log without appends still expires its entries by the time they are asked for. */
  #head(): Head {
    this.#trim(0);
    return this.#position();
  }

  /** Does not trim: a tail page may be read while `append` offers entries, which must reach the tails before retention. */
  #position(): Head {
    const { top, witness, floor } = this.#ring;
    return { epoch: this.epoch, top, witness, floor };
  }

  /**
   * End markers have no key, so they are in `plain`. One counts only while it is the newest entry of its channel, of
   * any kind: a channel that was published on again has not ended.
   */
  #answerOf({ cursor, selection }: LocateQuestion, head: Head): LocateAnswer {
    const ends: LogEntry[] = [];
    for (const name of distinct(selection.channels)) {
      const last = this.#channels.get(name)?.plain.last;
      if (last?.type === "sse:end" && last.offset === this.#channels.last(name)) ends.push(last);
    }
    return {
      verification: verify(cursor, head, this.#witnessAt),
      ends: ends.sort((a, b) => a.offset - b.offset),
      trimmed: this.#channels.trimmed(selection, true),
      hasValues: this.#channels.hasValues(selection),
    };
  }

  #tailPage(after: number): TailPage {
    return { head: this.#position(), entries: this.#ring.after(after, tailPageEntries, tailPageBytes) };
  }

  /** Removes entries over a limit. When many have expired at once, others have their turn in between. */
  #trim(appended: number): void {
    if (this.#isTrimming && appended === 0) return;
    for (let count = appended + entriesPerTrim; count > 0; count--) {
      const trimmed = this.#ring.shiftExcess();
      if (trimmed === undefined) return;
      this.#channels.trim(trimmed);
    }
    // The budget was spent and there may be more. One turn at a time is planned, whichever call comes first.
    if (this.#isTrimming) return;
    this.#isTrimming = true;
    setImmediateOrTimeout(() => {
      this.#isTrimming = false;
      if (!this.#closed) this.#trim(0);
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw closedError();
  }
}
