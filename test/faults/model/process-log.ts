import type { CompleteLog } from "../../../src/log/complete.ts";
import type {
  Appended,
  ChannelSelection,
  Head,
  Located,
  LocateQuestion,
  LogEntry,
  NewEntry,
  Page,
  Position,
  ReadOptions,
  Tail,
  TailBatch,
  ValueOptions,
  ValuePage,
} from "../../../src/log/log.ts";
import { clock } from "./clock.ts";
import type { Setup } from "./history.ts";
import { Violation } from "./judge.ts";
import type { Random } from "./random.ts";
import type { Storage } from "./storage.ts";

/** The error of the log when it cannot be reached. */
export class Unreachable extends Error {}

/**
 * The log as one process reaches it, over something like a network: answers take their time and overtake each other, some
 * are errors, and the tail hands over late. Its end is not the end of the storage.
 */
export class ProcessLog implements CompleteLog {
  readonly capabilities: CompleteLog["capabilities"];
  readonly #storage: Storage;
  readonly #setup: Setup;
  readonly #random: Random;
  readonly #tails = new Set<LateTail>();
  #closed = false;
  /** Questions in one tick. */
  #asked = { tick: 0, count: 0 };

  constructor(storage: Storage, setup: Setup, random: Random) {
    this.capabilities = storage.log.capabilities;
    this.#storage = storage;
    this.#setup = setup;
    this.#random = random;
  }

  append(entries: readonly NewEntry[]): Promise<Appended[]> {
    return this.#answer(() => this.#storage.log.append(entries));
  }

  head(): Promise<Head> {
    return this.#answer(() => this.#storage.log.head());
  }

  witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    return this.#answer(() => this.#storage.log.witnesses(offsets));
  }

  read(after: number, options: ReadOptions): Promise<Page> {
    const limit = Math.min(options.limit, this.#setup.page);
    return this.#answer(() => this.#storage.log.read(after, { ...options, limit }));
  }

  last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    return this.#answer(() => this.#storage.log.last(count, selection));
  }

  latestByKey(selection: ChannelSelection, options: ValueOptions): Promise<ValuePage> {
    return this.#answer(() => this.#storage.log.latestByKey(selection, options));
  }

  locate(questions: readonly LocateQuestion[]): Promise<Located> {
    return this.#answer(() => this.#storage.log.locate(questions));
  }

  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail {
    const tail = new LateTail(this.#storage, after, this.#delay, onEntries, onError);
    this.#tails.add(tail);
    return tail;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const tail of this.#tails) tail.close();
  }

  readonly #delay = (): number => (this.#setup.late === 0 ? 0 : this.#random.below(this.#setup.late));

  async #answer<T>(ask: () => Promise<T>): Promise<T> {
    this.#storage.unanswered++;
    try {
      return await this.#answerLate(ask);
    } finally {
      this.#storage.unanswered--;
    }
  }

  /** The content of an answer is determined at its start or at its end; the rest of its time is transport. */
  async #answerLate<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new Unreachable("The process has ended");
    this.#count();
    if (this.#random.chance(this.#setup.failing) && !this.#storage.reachable) {
      await this.#wait();
      throw new Unreachable("The log cannot be reached");
    }
    if (this.#random.chance(0.5)) {
      const answer = ask();
      answer.catch(() => {});
      await this.#wait();
      return answer;
    }
    await this.#wait();
    return ask();
  }

  /** A caller that retries without progress would never let the tick end. */
  #count(): void {
    if (this.#asked.tick !== clock.ticks) this.#asked = { tick: clock.ticks, count: 0 };
    if (++this.#asked.count > 10_000) throw new Violation("The log is asked without end");
  }

  async #wait(): Promise<void> {
    const delay = this.#delay();
    if (delay > 0) await clock.sleep(delay);
    if (this.#closed) throw new Unreachable("The process has ended");
  }
}

/** Delivers entries some time after the log has accepted them. Entries that were trimmed by then are left out. */
class LateTail implements Tail {
  readonly #storage: Storage;
  readonly #delay: () => number;
  readonly #onEntries: (batch: TailBatch) => void;
  readonly #onError: (error: unknown) => void;
  #inner: Tail;
  #waiting: Waiting[] = [];
  #isDue = false;
  #version: number;
  #closed = false;

  constructor(
    storage: Storage,
    after: Position,
    delay: () => number,
    onEntries: (batch: TailBatch) => void,
    onError: (error: unknown) => void,
  ) {
    this.#storage = storage;
    this.#delay = delay;
    this.#onEntries = onEntries;
    this.#onError = onError;
    this.#version = storage.record.version;
    this.#inner = this.#follow(after);
    storage.onRenew.add(this.#renew);
  }

  close(): void {
    this.#closed = true;
    this.#inner.close();
    this.#storage.onRenew.delete(this.#renew);
  }

  readonly #renew = (): void => {
    this.#inner.close();
    this.#inner = this.#follow({ epoch: "", offset: 0, witness: 0 });
  };

  #follow(after: Position): Tail {
    return this.#storage.log.tail(after, (batch) => this.#take(batch), this.#onError);
  }

  #take({ epoch, entries }: TailBatch): void {
    const { version } = this.#storage.record;
    for (const entry of entries) {
      this.#waiting.push({ epoch, entry, isFirst: version !== this.#version });
      this.#version = version;
    }
    if (this.#isDue) return;
    this.#isDue = true;
    const delay = this.#delay();
    if (delay === 0) this.#handOver(0);
    else clock.sleep(delay).then(() => this.#handOver(this.#storage.record.floor));
  }

  /** @param floor Everything up to here was trimmed before it could be handed over. */
  #handOver(floor: number): void {
    this.#isDue = false;
    for (let [first] = this.#waiting; first !== undefined && !this.#closed; [first] = this.#waiting) {
      const { epoch } = first;
      const other = this.#waiting.findIndex((each) => each.epoch !== epoch);
      const batch = this.#waiting.splice(0, other === -1 ? this.#waiting.length : other);
      const gone = epoch === this.#storage.record.epoch ? floor : 0;
      const kept = batch.filter(({ entry, isFirst }) => isFirst || entry.offset > gone);
      if (kept.length > 0) this.#onEntries({ epoch, entries: kept.map(({ entry }) => entry) });
    }
  }
}

interface Waiting {
  readonly epoch: string;
  readonly entry: LogEntry;
  /** The first entry after a loss. Without it, entries written over a lost tail would look like its continuation. */
  readonly isFirst: boolean;
}
