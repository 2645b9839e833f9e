import { type CompleteLog, completeLog } from "../../../src/log/complete.ts";
import type { LogEntry } from "../../../src/log/log.ts";
import { retentionLimits } from "../../../src/log/retention.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { PlainLog, PlainStore } from "../../../src/testing/index.ts";
import type { Setup } from "./history.ts";
import { Record, type RecordCopy } from "./record.ts";

/** State that outlives the processes: the log itself, and the record of everything that happened to it. */
export class Storage {
  log: CompleteLog;
  readonly record: Record;
  /** Answers no longer fail. */
  reachable = false;
  /** Questions that are not answered yet. */
  unanswered = 0;
  /** Told when the log was replaced by an empty one. */
  readonly onRenew = new Set<() => void>();
  readonly #setup: Setup;
  /** That of a plain log, which can lose entries. */
  #store: PlainStore | null = null;
  #copy: { restore: () => void; record: RecordCopy } | null = null;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.record = new Record(retentionLimits(setup, { maxEvents: 1, maxBytes: 1 }));
    this.log = this.#make();
  }

  /** A new log takes the place of the old one, with nothing in it. */
  renew(): void {
    if (this.#store === null) this.log = this.#make();
    else {
      this.#store.renew();
      this.record.begin(this.#store.epoch, this.#store.head().witness);
    }
    for (const tell of this.onRenew) tell();
  }

  lose(count: number): void {
    if (this.#store === null) return;
    this.#store.lose(count);
    this.record.lose(count);
  }

  /** A copy of the log is made, in place of the one before. */
  copy(): void {
    if (this.#store !== null) this.#copy = { restore: this.#store.copy(), record: this.record.copy() };
  }

  /** The log is restored from the copy, under the running processes. */
  restore(): void {
    if (this.#copy?.record.epoch !== this.record.epoch) return;
    this.#copy.restore();
    this.record.restore(this.#copy.record);
  }

  /** An entry is recorded before any hub receives it. */
  #make(): CompleteLog {
    const { maxEvents, maxBytes, log: kind } = this.#setup;
    if (kind === "memory") {
      this.#store = null;
      const log = memoryLog({ maxEvents, maxBytes });
      const { epoch, witnessAt } = log as CompleteLog & { epoch: string; witnessAt(offset: number): number };
      const witness = witnessAt.call(log, 0);
      this.record.begin(epoch, witness);
      // The first of its tails.
      log.tail({ epoch, offset: 0, witness }, ({ entries }) => this.#note(log, entries), fail);
      return log;
    }
    const store = new PlainStore({ maxEvents, maxBytes });
    const log = completeLog(new PlainLog(store));
    this.#store = store;
    this.record.begin(store.epoch, store.head().witness);
    store.subscribe((_, entries) => this.#note(log, entries));
    return log;
  }

  #note(log: CompleteLog, entries: readonly LogEntry[]): void {
    if (log !== this.log) return;
    for (const entry of entries) this.record.add(entry);
  }
}

function fail(error: unknown): never {
  throw error;
}
