import type { CompleteLog } from "../../../src/log/complete.ts";
import type { Head, LogEntry, TailBatch } from "../../../src/log/log.ts";
import { Violation } from "../../faults/model/judge.ts";
import { Record } from "../../faults/model/record.ts";
import { eventually } from "../../support/deadline.ts";

/** No limit: what the log has removed, it says itself. */
const limits = { events: Infinity, bytes: Infinity, age: Infinity, window: Infinity, witnessAge: Infinity };

/**
 * The record of a log that is on a server: what a tail without faults has delivered. It follows the log a moment later, so
 * whoever judges by it waits for it first.
 */
export class Oracle {
  readonly record: Record = new Record(limits);
  /** Entries were removed before they were recorded: nothing can be judged by this record. */
  isIncomplete = false;
  readonly #log: CompleteLog;
  /** Something that the log must not have. */
  violation: Violation | null = null;

  private constructor(log: CompleteLog) {
    this.#log = log;
  }

  /** @param log An empty log. */
  static async start(log: CompleteLog): Promise<Oracle> {
    const oracle = new Oracle(log);
    // A server that is busy with the logs of other histories may not make another one in time.
    const asked = async (): Promise<Head | null> => log.head().catch(() => null);
    const { epoch, top, witness } = (await eventually("the log is there", asked, Boolean, 30_000)) as Head;
    if (top !== 0) throw new Error(`The log of a history begins at ${top}`);
    oracle.record.begin(epoch, witness);
    log.tail(
      { epoch, offset: 0, witness },
      (batch) => oracle.#take(batch),
      (error) => {
        if (error instanceof Violation) oracle.violation ??= error;
      },
    );
    return oracle;
  }

  /** Resolves when everything that the log had at the time of the call is recorded. */
  async catchUp(): Promise<void> {
    const asked = async (): Promise<Head | null> => this.#log.head().catch(() => null);
    const head = (await eventually("the log answers", asked, Boolean, 30_000)) as Head;
    const isThere = (): boolean => {
      const { epoch, top } = this.record;
      // An empty log of another epoch has nothing that a tail could deliver.
      if (epoch !== head.epoch && head.top === head.floor.offset) this.record.begin(head.epoch, head.witness);
      return this.record.epoch === head.epoch && top >= head.top;
    };
    await eventually("the record has what the log has", async () => isThere(), Boolean, 20_000);
    if (head.epoch === this.record.epoch) this.record.trimTo(Math.min(head.floor.offset, this.record.top));
  }

  async close(): Promise<void> {
    await this.#log.close();
  }

  #take({ epoch, entries }: TailBatch): void {
    for (const entry of entries) this.#add(epoch, entry);
  }

  #add(epoch: string, entry: LogEntry): void {
    const { record } = this;
    if (record.epoch !== epoch) {
      record.begin(epoch, entry.offset === 1 ? entry.previousWitness : 0);
      if (entry.offset !== 1) this.isIncomplete = true;
    } else if (entry.offset <= record.top) {
      const same = record.find(({ offset }) => offset === entry.offset)?.witness === entry.witness;
      record.cut(same ? entry.offset : entry.offset - 1);
      if (same) return;
    } else if (entry.offset !== record.top + 1) this.isIncomplete = true;
    const twin = entry.type === "sse:end" ? undefined : record.byData(entry.data);
    if (twin?.epoch === epoch && record.find((each) => each === twin) !== null) {
      throw new Violation(`Stored twice: ${entry.data.slice(0, 20)} at ${twin.offset} and ${entry.offset}`);
    }
    record.add(entry);
  }
}
