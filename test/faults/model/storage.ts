import type { CompleteLog } from "../../../src/log/complete.ts";
import type { TailBatch } from "../../../src/log/log.ts";
import { retentionLimits } from "../../../src/log/retention.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { type PlainCopy, PlainLog } from "../../support/plain-log.ts";
import type { Setup } from "./history.ts";
import { Record, type RecordCopy } from "./record.ts";

/** What outlives the processes: the log itself, and the record of all that happened to it. */
export class Storage {
  log: CompleteLog;
  readonly record: Record;
  /** Answers are no errors any more. */
  reachable = false;
  /** Told when the log was replaced by an empty one. */
  readonly onRenew = new Set<() => void>();
  readonly #setup: Setup;
  #copy: { log: PlainCopy; record: RecordCopy } | null = null;

  constructor(setup: Setup) {
    this.#setup = setup;
    this.record = new Record(retentionLimits(setup, { maxEvents: 1, maxBytes: 1 }));
    this.log = this.#make();
  }

  /** A new log takes the place of the old one, with nothing in it. */
  renew(): void {
    this.log = this.#make();
    for (const tell of this.onRenew) tell();
  }

  lose(count: number): void {
    if (!(this.log instanceof PlainLog)) return;
    this.log.lose(count);
    this.record.lose(count);
  }

  /** A copy of the log is made, in place of the one before. */
  copy(): void {
    if (this.log instanceof PlainLog) this.#copy = { log: this.log.copy(), record: this.record.copy() };
  }

  /** The log is restored from the copy, under the running processes. */
  restore(): void {
    if (!(this.log instanceof PlainLog) || this.#copy?.record.epoch !== this.record.epoch) return;
    this.log.restore(this.#copy.log);
    this.record.restore(this.#copy.record);
  }

  #make(): CompleteLog {
    const { maxEvents, maxBytes, log: kind } = this.#setup;
    const log =
      kind === "memory"
        ? memoryLog({ maxEvents, maxBytes })
        : new PlainLog(retentionLimits(this.#setup, { maxEvents, maxBytes }));
    this.record.begin((log as PlainLog).epoch);
    void log.head().then(({ epoch, witness }) => this.record.setOrigin(epoch, witness));
    // The first of its tails: an entry is on record before any hub hears of it.
    log.tail({ epoch: "", offset: 0, witness: 0 }, ({ entries }: TailBatch) => this.#note(log, entries), fail);
    return log;
  }

  #note(log: CompleteLog, entries: TailBatch["entries"]): void {
    if (log !== this.log) return;
    for (const entry of entries) this.record.add(entry);
  }
}

function fail(error: unknown): never {
  throw error;
}
