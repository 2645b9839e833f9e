// Removes what is not to be kept, in the background.
import { now, WakeTimer } from "../../base/clock.ts";
import type { RetentionLimits } from "../../log/retention.ts";
import { lossTables } from "./channels.ts";
import type { LogClock } from "./clock.ts";
import type { SqlConnection, Statement } from "./connection.ts";
import { type LogState, StateReader } from "./state.ts";
import { StoredWitnesses } from "./witnesses.ts";

/** Entries that one transaction removes: a publisher, in whatever process, waits for that at most. */
const entriesPerSlice = 500;
/** How long slices may follow each other before it is the turn of others in the process, in milliseconds. */
const maxTurnMs = 5;
/** And how many: the clock of Workers stands still while code runs. */
const maxSlicesPerTurn = 20;
/** A pass waits so long for more to come together, in milliseconds. */
const passDelayMs = 20;
/** Channels whose trimmed offset is remembered. Of the others, the highest one is known. */
const maxRememberedChannels = 65_536;

/** A failed transaction is tried again with the next pass. */
export class RetentionWorker {
  readonly #connection: SqlConnection;
  readonly #clock: LogClock;
  readonly #limits: RetentionLimits;
  readonly #state: StateReader;
  readonly #witnesses: StoredWitnesses;
  readonly #oldest: Statement<OldRow>;
  readonly #remove: Statement;
  readonly #markPlain: Statement;
  readonly #markSuperseded: Statement;
  readonly #trim: Statement;
  readonly #correctClock: Statement;
  readonly #expiredKeys: Statement;
  readonly #forgetKeys: Statement;
  readonly #excess: readonly Statement<{ offset: number | null }>[];
  readonly #raiseForgotten: Statement;
  readonly #forgetMarks: readonly Statement[];
  readonly #timer = new WakeTimer(() => this.#run());
  #marked = 0;
  #closed = false;

  constructor(connection: SqlConnection, clock: LogClock, limits: RetentionLimits) {
    this.#connection = connection;
    this.#clock = clock;
    this.#limits = limits;
    this.#state = new StateReader(connection);
    this.#witnesses = new StoredWitnesses(connection);
    const prepare = <Row>(sql: string) => connection.prepare<Row>(sql);
    this.#oldest = prepare(
      "SELECT offset, witness, log_time, weight, channel, key, superseded FROM sse_entry WHERE offset > ? ORDER BY offset LIMIT ?",
    );
    // The newest of a key stays, below `trimmed_offset` from now on.
    this.#remove = prepare(
      "DELETE FROM sse_entry WHERE offset > ? AND offset <= ? AND (key IS NULL OR superseded = 1)",
    );
    // Offsets of a slice are higher than all marks.
    this.#markPlain = prepare(`INSERT OR REPLACE INTO ${lossTables.plain} VALUES (?, ?)`);
    this.#markSuperseded = prepare(`INSERT OR REPLACE INTO ${lossTables.superseded} VALUES (?, ?)`);
    this.#trim = prepare("UPDATE sse_log SET trimmed_offset = ?, trimmed_witness = ?, trimmed_weight = ?");
    this.#correctClock = prepare("UPDATE sse_log SET clock_correction = ?");
    this.#expiredKeys = prepare("SELECT 1 FROM sse_idempotency WHERE log_time <= ? LIMIT 1");
    this.#forgetKeys = prepare(
      `DELETE FROM sse_idempotency
       WHERE (channel, key) IN (SELECT channel, key FROM sse_idempotency WHERE log_time <= ? LIMIT ${entriesPerSlice})`,
    );
    this.#excess = Object.values(lossTables).map((table) =>
      prepare(
        `SELECT max(offset) AS offset FROM (
           SELECT offset FROM ${table} ORDER BY offset LIMIT max(0, (SELECT count(*) FROM ${table}) - ${maxRememberedChannels})
         )`,
      ),
    );
    this.#raiseForgotten = prepare("UPDATE sse_log SET forgotten_offset = ?");
    this.#forgetMarks = Object.values(lossTables).map((table) => prepare(`DELETE FROM ${table} WHERE offset <= ?`));
  }

  /** Log time passes from now on. */
  start(): void {
    this.#connection.read(() => this.#begin());
    this.touch();
  }

  /** Something was appended or requested: there may be something to do soon. */
  touch(): void {
    this.#plan(passDelayMs);
  }

  /** A slice is synchronous, so none is under way, and the caller may close the connection right after this. */
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
      for (let slices = 1; this.#hasWork(); slices++) {
        this.#connection.write(() => this.#step());
        if (slices === maxSlicesPerTurn || now() > end) {
          this.#plan(0);
          return;
        }
      }
      this.#forgetChannels();
      this.#planExpiry();
    } catch {
      // Locked, full or lost: publishers and readers are told, and the next append or read comes back here.
    }
  }

  /** Looks without taking the write lock. */
  #hasWork(): boolean {
    return this.#connection.read(() => {
      const { state, time } = this.#begin();
      const { window, witnessAge } = this.#limits;
      return (
        this.#excessOf(1, state, time).length > 0 ||
        this.#expiredKeys.get(time - window) != null ||
        this.#witnesses.isOver(time - witnessAge) ||
        this.#clock.correction() !== undefined
      );
    });
  }

  /**
   * One slice. The deletion, the marks of what channels have lost and the new floor are one transaction: a reader that
   * sees an entry gone also sees that it was trimmed, and reports the gap.
   */
  #step(): void {
    const { state, time } = this.#begin();
    const rows = this.#excessOf(entriesPerSlice, state, time);
    const last = rows.at(-1);
    if (last !== undefined) {
      this.#remove.run(state.trimmed, last.offset);
      // Of entries with a key, the newest is still there: a reader that conflates has lost nothing with the others.
      this.#markAll(
        this.#markPlain,
        rows.filter(({ key }) => key === null),
      );
      this.#markAll(
        this.#markSuperseded,
        rows.filter(({ superseded }) => Number(superseded) === 1),
      );
      this.#trim.run(last.offset, last.witness, state.trimmedWeight + rows.reduce((sum, row) => sum + row.weight, 0));
      if (this.#limits.witnessAge > 0) this.#witnesses.add(rows, time);
    }
    this.#forgetKeys.run(time - this.#limits.window);
    this.#witnesses.forget(time - this.#limits.witnessAge);
    const correction = this.#clock.correction();
    if (correction !== undefined) this.#correctClock.run(correction);
  }

  #markAll(mark: Statement, rows: readonly OldRow[]): void {
    // The rows ascend, so the last offset of each channel remains in the map.
    const marks = new Map(rows.map(({ channel, offset }) => [channel, offset]));
    for (const [channel, offset] of marks) mark.run(channel, offset);
    this.#marked += marks.size;
  }

  /** The time is read together with the state, so an entry of another process is never newer than now. */
  #begin(): { state: LogState; time: number } {
    const state = this.#state.read();
    this.#clock.adopt({ correction: state.clockCorrection, latest: state.topLogTime });
    return { state, time: this.#clock.now() };
  }

  /** The oldest entries, as far as they are over a limit. Never the newest of all. */
  #excessOf(count: number, state: LogState, time: number): OldRow[] {
    const { events, bytes, age } = this.#limits;
    // Offsets are contiguous, so the number and the weight of the retained entries are subtractions and not aggregates.
    const firstKept = state.top - events + 1;
    let weight = state.topWeight - state.trimmedWeight;
    const rows = this.#oldest.all(state.trimmed, count).map(numbered);
    const end = rows.findIndex((row) => {
      const isOver = row.offset < firstKept || weight > bytes || row.log_time + age <= time;
      weight -= row.weight;
      return !isOver || row.offset === state.top;
    });
    return end === -1 ? rows : rows.slice(0, end);
  }

  /**
   * Bounds the tables of marks by forgetting the channels that lost something longest ago. It does not count them in
   * every pass.
   */
  #forgetChannels(): void {
    if (this.#marked < maxRememberedChannels / 16) return;
    this.#marked = 0;
    this.#connection.write(() => {
      const offset = Math.max(...this.#excess.map((statement) => Number(statement.get()?.offset ?? 0)));
      if (offset === 0) return;
      // In one transaction with the deletion: a channel without a mark must answer with an offset at least as high.
      this.#raiseForgotten.run(offset);
      for (const statement of this.#forgetMarks) statement.run(offset);
    });
  }

  /**
   * Wakes up for the next entry that expires. Without it, a log without traffic would keep its entries beyond
   * `maxAge`.
   */
  #planExpiry(): void {
    const { age } = this.#limits;
    if (age === Number.POSITIVE_INFINITY || this.#connection.isEvictable) return;
    this.#connection.read(() => {
      const { state, time } = this.#begin();
      const [oldest, next] = this.#oldest.all(state.trimmed, 2);
      // The newest does not expire.
      if (oldest === undefined || next === undefined) return;
      this.#plan(Math.max(passDelayMs, Number(oldest.log_time) + age - time));
    });
  }
}

interface OldRow {
  offset: number;
  witness: number;
  log_time: number;
  weight: number;
  channel: string;
  key: string | null;
  superseded: number;
}

/** An application's own database may return integers as `bigint`. */
function numbered(row: OldRow): OldRow {
  const { offset, witness, log_time, weight } = row;
  return {
    ...row,
    offset: Number(offset),
    witness: Number(witness),
    log_time: Number(log_time),
    weight: Number(weight),
  };
}
