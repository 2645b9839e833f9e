import { now, WakeTimer } from "../../base/clock.ts";
import type { RetentionLimits } from "../../log/retention.ts";
import type { SqlConnection, Statement } from "./connection.ts";

/** Entries that one transaction takes away: a publisher, in whatever process, waits for no more than that. */
const entriesPerSlice = 500;
/** Slices follow each other for so long, in milliseconds; then it is the turn of others in the process. */
const maxTurnMs = 5;
/** And so many: the clock of Workers stands still while code runs. */
const maxSlicesPerTurn = 20;
/** A pass waits so long for more to come together, in milliseconds. */
const passDelayMs = 20;
/** Channels whose trimmed offset is remembered. Of the others the highest one is known. */
const maxRememberedChannels = 65_536;

/** Takes away what is not to be kept, in the background. What fails is tried again with the next pass. */
export class RetentionWorker {
  readonly #connection: SqlConnection;
  readonly #limits: RetentionLimits;
  readonly #log: Statement<{ trimmed: number; trimmed_weight: number }>;
  readonly #newest: Statement<{ offset: number; weight: number }>;
  readonly #oldest: Statement<OldRow>;
  readonly #remove: Statement;
  readonly #mark: Statement;
  readonly #trim: Statement;
  readonly #expired: Statement;
  readonly #forgetAnswers: Statement;
  readonly #excess: Statement<{ offset: number | null }>;
  readonly #raiseFloor: Statement;
  readonly #forgetMarks: Statement;
  readonly #timer = new WakeTimer(() => this.#run());
  #marked = 0;
  #closed = false;

  constructor(connection: SqlConnection, limits: RetentionLimits) {
    this.#connection = connection;
    this.#limits = limits;
    const prepare = <Row>(sql: string) => connection.prepare<Row>(sql);
    this.#log = prepare("SELECT trimmed, trimmed_weight FROM sse_log");
    this.#newest = prepare("SELECT offset, weight FROM sse_entry ORDER BY offset DESC LIMIT 1");
    this.#oldest = prepare(
      "SELECT offset, witness, time, weight, channel, key FROM sse_entry WHERE offset > ? ORDER BY offset LIMIT ?",
    );
    // The newest of a key stays, below `trimmed` from now on.
    this.#remove = prepare(
      "DELETE FROM sse_entry WHERE offset > ? AND offset <= ? AND (key IS NULL OR superseded = 1)",
    );
    this.#mark = prepare("INSERT OR REPLACE INTO sse_trimmed VALUES (?, ?)");
    this.#trim = prepare("UPDATE sse_log SET trimmed = ?, trimmed_witness = ?, trimmed_weight = ?");
    this.#expired = prepare("SELECT 1 FROM sse_answer WHERE time <= ? LIMIT 1");
    this.#forgetAnswers = prepare(
      `DELETE FROM sse_answer
       WHERE (channel, key) IN (SELECT channel, key FROM sse_answer WHERE time <= ? LIMIT ${entriesPerSlice})`,
    );
    this.#excess = prepare(
      `SELECT max(offset) AS offset FROM (
         SELECT offset FROM sse_trimmed ORDER BY offset LIMIT max(0, (SELECT count(*) FROM sse_trimmed) - ${maxRememberedChannels})
       )`,
    );
    this.#raiseFloor = prepare("UPDATE sse_log SET floor = ?");
    this.#forgetMarks = prepare("DELETE FROM sse_trimmed WHERE offset <= ?");
  }

  /** Something was appended or asked for: there may be something to do soon. */
  touch(): void {
    this.#plan(passDelayMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer.stop();
  }

  #plan(delay: number): void {
    if (!this.#closed) this.#timer.set(now() + delay);
  }

  #run(): void {
    try {
      const end = now() + maxTurnMs;
      for (let slices = 1; this.#isOver(Date.now()); slices++) {
        this.#connection.write(() => this.#step(Date.now()));
        if (slices === maxSlicesPerTurn || now() > end) {
          this.#plan(0);
          return;
        }
      }
      this.#forgetChannels();
      this.#planExpiry(Date.now());
    } catch {
      // Locked, or the disk is full: publishers and readers are told, and the next append or read comes back here.
    }
  }

  /** Looks without taking the write lock. */
  #isOver(time: number): boolean {
    return this.#connection.read(
      () => this.#excessOf(1, time).length > 0 || this.#expired.get(time - this.#limits.window) != null,
    );
  }

  #step(time: number): void {
    const rows = this.#excessOf(entriesPerSlice, time);
    const last = rows.at(-1);
    if (last !== undefined) {
      this.#remove.run(Number(this.#log.get()?.trimmed), last.offset);
      const marks = new Map(rows.flatMap(({ key, channel, offset }) => (key === null ? [[channel, offset]] : [])));
      for (const [channel, offset] of marks) this.#mark.run(channel, offset);
      this.#marked += marks.size;
      this.#trim.run(last.offset, last.witness, last.weight);
    }
    this.#forgetAnswers.run(time - this.#limits.window);
  }

  /** The oldest entries, as far as they are over a limit. Never the newest of all. */
  #excessOf(count: number, time: number): OldRow[] {
    const log = this.#log.get();
    const newest = this.#newest.get();
    if (log == null || newest == null) return [];
    const { events, bytes, age } = this.#limits;
    const firstKept = Number(newest.offset) - events + 1;
    let weight = Number(newest.weight) - Number(log.trimmed_weight);
    let before = Number(log.trimmed_weight);
    const rows = this.#oldest.all(Number(log.trimmed), count);
    const end = rows.findIndex((row) => {
      const isOver = Number(row.offset) < firstKept || weight > bytes || Number(row.time) + age <= time;
      weight -= Number(row.weight) - before;
      before = Number(row.weight);
      return !isOver || row.offset === newest.offset;
    });
    return end === -1 ? rows : rows.slice(0, end);
  }

  /** Bounds the table of channels, those first that lost something longest ago. Counting it is not for every pass. */
  #forgetChannels(): void {
    if (this.#marked < maxRememberedChannels / 16) return;
    this.#marked = 0;
    this.#connection.write(() => {
      const offset = this.#excess.get()?.offset;
      if (offset == null) return;
      this.#raiseFloor.run(offset);
      this.#forgetMarks.run(offset);
    });
  }

  #planExpiry(time: number): void {
    if (this.#limits.age === Number.POSITIVE_INFINITY || this.#connection.isExclusive) return;
    const [oldest, next] = this.#oldest.all(Number(this.#log.get()?.trimmed), 2);
    // The newest has no end.
    if (oldest !== undefined && next !== undefined) {
      this.#plan(Math.max(passDelayMs, Number(oldest.time) + this.#limits.age - time));
    }
  }
}

interface OldRow {
  offset: number;
  witness: number;
  time: number;
  weight: number;
  channel: string;
  key: string | null;
}
