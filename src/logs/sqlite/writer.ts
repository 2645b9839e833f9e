// Storing the entries of several calls in one transaction.
import type { SourcecastError } from "../../base/errors.ts";
import { conflictOf } from "../../log/errors.ts";
import { makeWitness } from "../../log/identity.ts";
import type { Appended, LogEntry, NewEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { lossTables, TrimmedChannels } from "./channels.ts";
import type { LogClock } from "./clock.ts";
import type { SqlConnection, Statement } from "./connection.ts";
import type { Reader } from "./reader.ts";
import { type LogState, StateReader } from "./state.ts";

/** The result of one transaction: an answer for each call, and the stored entries. */
export interface Written {
  readonly epoch: string;
  /** In the order of the calls: positions in the order of the call's entries, or the conflict. */
  readonly answers: readonly (Appended[] | SourcecastError)[];
  /** The entries that are new to the tails of this process; duplicates are not among them. */
  readonly entries: readonly LogEntry[];
}

/**
 * Stores calls in the order in which the queue accepted them. One transaction for all of them takes the write lock and
 * commits once, and readers see the entries of a call together or not at all (`atomicBatch`).
 *
 * A refused call does not undo the others: everything that can refuse it is checked before its first insert.
 */
export class Writer {
  readonly #connection: SqlConnection;
  readonly #reader: Reader;
  readonly #clock: LogClock;
  /** How long an idempotency key is remembered, in milliseconds. */
  readonly #window: number;
  readonly #state: StateReader;
  readonly #trimmed: TrimmedChannels;
  readonly #insert: Statement;
  readonly #supersede: Statement;
  readonly #removeValue: Statement<{ offset: number }>;
  readonly #markSuperseded: Statement;
  readonly #lastOrdinal: Statement<{ key_ordinal: number }>;
  readonly #lastOfChannel: Statement<{ offset: number | null }>;
  readonly #answer: Statement<{ offset: number; witness: number }>;
  readonly #remember: Statement;
  readonly #correctClock: Statement;

  constructor(connection: SqlConnection, reader: Reader, clock: LogClock, window: number) {
    this.#connection = connection;
    this.#reader = reader;
    this.#clock = clock;
    this.#window = window;
    this.#state = new StateReader(connection);
    this.#trimmed = new TrimmedChannels(connection);
    const prepare = <Row>(sql: string) => connection.prepare<Row>(sql);
    this.#insert = prepare("INSERT INTO sse_entry VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    const newestOfKey = "channel = ? AND key = ? AND superseded = 0";
    this.#supersede = prepare(`UPDATE sse_entry SET superseded = 1 WHERE ${newestOfKey} AND offset > ?`);
    this.#removeValue = prepare(`DELETE FROM sse_entry WHERE ${newestOfKey} AND offset <= ? RETURNING offset`);
    this.#markSuperseded = prepare(
      `INSERT INTO ${lossTables.superseded} VALUES (?, ?)
       ON CONFLICT (channel) DO UPDATE SET offset = max(offset, excluded.offset)`,
    );
    // The newest entry with a key is never superseded.
    this.#lastOrdinal = prepare(
      `SELECT key_ordinal FROM sse_entry INDEXED BY sse_entry_value
       WHERE channel = ? AND key IS NOT NULL AND superseded = 0 ORDER BY offset DESC LIMIT 1`,
    );
    this.#lastOfChannel = prepare("SELECT max(offset) AS offset FROM sse_entry WHERE channel = ? AND superseded = 0");
    this.#answer = prepare(
      "SELECT offset, witness FROM sse_idempotency WHERE channel = ? AND key = ? AND log_time > ?",
    );
    this.#remember = prepare("INSERT OR REPLACE INTO sse_idempotency VALUES (?, ?, ?, ?, ?)");
    this.#correctClock = prepare("UPDATE sse_log SET clock_correction = ?");
  }

  /**
   * Stores all calls that are not refused; nothing when it throws. It reads the newest offset under the write lock, so
   * no other process can assign the same one: the contract's "1, 2, 3 ... without holes" rests on that.
   *
   * @throws what the database throws, and {@link CommitError} when it is unknown whether the calls were stored.
   */
  append(calls: readonly { readonly entries: readonly NewEntry[] }[]): Written {
    return this.#connection.write(() => {
      const batch = this.#begin();
      const answers = calls.map(({ entries }) => {
        return this.#refusal(entries, batch) ?? entries.map((entry) => this.#store(entry, batch));
      });
      return { epoch: batch.state.epoch, answers, entries: batch.entries };
    });
  }

  /** Appends an entry within a transaction of the caller. */
  appendOne(entry: NewEntry): { epoch: string; entry: LogEntry } {
    const batch = this.#begin();
    return { epoch: batch.state.epoch, entry: this.#place(entry, batch) };
  }

  /**
   * Adopts the stored log time before it takes the time of the batch: log times must not decrease with the offset,
   * because retention stops at the first entry that has not expired.
   */
  #begin(): Batch {
    const state = this.#state.read();
    this.#clock.adopt({ correction: state.clockCorrection, latest: state.topLogTime });
    const correction = this.#clock.correction();
    if (correction !== undefined) this.#correctClock.run(correction);
    const { top, topWitness, topWeight } = state;
    return { state, entries: [], time: Date.now(), logTime: this.#clock.now(), top, topWitness, topWeight };
  }

  /** Why a call is not stored, `undefined` when it is. Decided before any part of the call is stored. */
  #refusal(call: readonly NewEntry[], batch: Batch): SourcecastError | undefined {
    // The contract compares `after` with the channel before this call, so entries of the same call do not count. An
    // entry whose idempotency key is known is answered whatever its `after` says.
    for (const entry of call) {
      if (entry.after === undefined || this.#answerTo(entry, batch) !== undefined) continue;
      const conflict = conflictOf(entry, {
        epoch: batch.state.epoch,
        top: batch.top,
        witnessAt: (offset) => this.#reader.witnessAt(offset, batch.state),
        lastOf: (channel) => this.#lastOf(channel, batch.state),
      });
      if (conflict !== undefined) return conflict;
    }
    return undefined;
  }

  /** Offset of the newest entry of a channel, or a higher one where that is no longer known. */
  #lastOf(channel: string, state: LogState): number {
    const last = Number(this.#lastOfChannel.get(channel)?.offset ?? 0);
    // Below what was trimmed there is only the newest of each key; a later entry of the channel may be gone.
    return last > state.trimmed ? last : Math.max(last, this.#trimmed.ofChannel(channel, state));
  }

  /**
   * Remembers the key in the same transaction, so a second entry with it, even in this batch, finds the first one, and
   * no crash can separate an entry from its key.
   */
  #store(entry: NewEntry, batch: Batch): Appended {
    const answer = this.#answerTo(entry, batch);
    if (answer !== undefined) return answer;
    const { offset, witness } = this.#place(entry, batch);
    if (entry.idempotencyKey !== undefined) {
      this.#remember.run(entry.channel, entry.idempotencyKey, batch.logTime, offset, witness);
    }
    return { epoch: batch.state.epoch, offset, witness };
  }

  #place({ channel, type, data, key, sender }: NewEntry, batch: Batch): LogEntry {
    const { time, logTime, state } = batch;
    const offset = batch.top + 1;
    const witness = makeWitness();
    const previousWitness = batch.topWitness;
    const entry: LogEntry = { offset, witness, previousWitness, time, channel, type, data, key, sender };
    const weight = weightOf(entry);
    // The sum counts trimmed entries too and never decreases, so retention need not update the entries that stay.
    const total = batch.topWeight + weight;
    const ordinal = key === undefined ? null : Number(this.#lastOrdinal.get(channel)?.key_ordinal ?? 0) + 1;
    // Above the trimmed offset, a superseded entry belongs to the sequence and stays for readers that do not conflate.
    // Below it, the entry was kept only as the newest of its key. Both come before the insert: sse_entry_key is unique.
    if (key !== undefined) {
      this.#supersede.run(channel, key, state.trimmed);
      const removed = this.#removeValue.get(channel, key, state.trimmed);
      if (removed != null) this.#markSuperseded.run(channel, Number(removed.offset));
    }
    const texts = [channel, type, key ?? null, sender ?? null, data];
    this.#insert.run(offset, witness, previousWitness, time, logTime, weight, total, ordinal, ...texts);
    Object.assign(batch, { top: offset, topWitness: witness, topWeight: total });
    batch.entries.push(entry);
    return entry;
  }

  /**
   * The position that an earlier entry with the same idempotency key got. `undefined` without a key, and for one that
   * is older than the window but that retention has not removed yet.
   */
  #answerTo({ channel, idempotencyKey }: NewEntry, { state, logTime }: Batch): Appended | undefined {
    if (idempotencyKey === undefined) return undefined;
    const answer = this.#answer.get(channel, idempotencyKey, logTime - this.#window);
    if (answer == null) return undefined;
    return { epoch: state.epoch, offset: Number(answer.offset), witness: Number(answer.witness), duplicate: true };
  }
}

/** One transaction, as far as it has come. */
interface Batch {
  /** As the transaction found it. */
  readonly state: LogState;
  readonly entries: LogEntry[];
  readonly time: number;
  readonly logTime: number;
  top: number;
  topWitness: number;
  topWeight: number;
}
