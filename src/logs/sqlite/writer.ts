import type { SourcecastError } from "../../base/errors.ts";
import { conflictOf } from "../../log/errors.ts";
import { makeWitness } from "../../log/identity.ts";
import type { Appended, LogEntry, NewEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import type { SqlConnection, Statement } from "./connection.ts";

/** What one transaction stored: an answer for each call, and the entries. */
export interface Written {
  readonly answers: readonly (Appended[] | SourcecastError)[];
  readonly entries: readonly LogEntry[];
}

/** Stores the entries of several calls in one transaction. */
export class Writer {
  readonly #connection: SqlConnection;
  readonly #epoch: string;
  /** How long an idempotency key is remembered, in milliseconds. */
  readonly #window: number;
  readonly #newest: Statement<{ offset: number; witness: number; weight: number }>;
  readonly #floor: Statement<{ trimmed: number; trimmed_witness: number }>;
  readonly #witness: Statement<{ witness: number }>;
  readonly #insert: Statement;
  readonly #supersede: Statement;
  readonly #bury: Statement;
  readonly #last: Statement<{ offset: number | null }>;
  readonly #trimmed: Statement<{ trimmed: number; ofChannel: number }>;
  readonly #answer: Statement<{ offset: number; witness: number }>;
  readonly #remember: Statement;
  #top = { offset: 0, witness: 0, weight: 0 };

  constructor(connection: SqlConnection, epoch: string, window: number) {
    this.#connection = connection;
    this.#epoch = epoch;
    this.#window = window;
    this.#newest = connection.prepare("SELECT offset, witness, weight FROM sse_entry ORDER BY offset DESC LIMIT 1");
    this.#floor = connection.prepare("SELECT trimmed, trimmed_witness FROM sse_log");
    this.#witness = connection.prepare("SELECT witness FROM sse_entry WHERE offset = ?");
    this.#insert = connection.prepare("INSERT INTO sse_entry VALUES (?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    const newestOfKey = "channel = ? AND key = ? AND superseded = 0";
    this.#supersede = connection.prepare(
      `UPDATE sse_entry SET superseded = 1 WHERE ${newestOfKey} AND offset > (SELECT trimmed FROM sse_log)`,
    );
    this.#bury = connection.prepare(
      `DELETE FROM sse_entry WHERE ${newestOfKey} AND offset <= (SELECT trimmed FROM sse_log)`,
    );
    this.#last = connection.prepare("SELECT max(offset) AS offset FROM sse_entry WHERE channel = ? AND superseded = 0");
    this.#trimmed = connection.prepare(
      `SELECT trimmed, ifnull((SELECT offset FROM sse_trimmed WHERE channel = ?), floor) AS ofChannel FROM sse_log`,
    );
    this.#answer = connection.prepare(
      "SELECT offset, witness FROM sse_answer WHERE channel = ? AND key = ? AND time > ?",
    );
    this.#remember = connection.prepare("INSERT OR REPLACE INTO sse_answer VALUES (?, ?, ?, ?, ?)");
  }

  append(calls: readonly (readonly NewEntry[])[]): Written {
    return this.#connection.write(() => {
      const newest = this.#newest.get();
      this.#top = {
        offset: Number(newest?.offset ?? 0),
        witness: Number(newest?.witness ?? this.#floor.get()?.trimmed_witness),
        weight: Number(newest?.weight ?? 0),
      };
      const time = Date.now();
      const entries: LogEntry[] = [];
      const answers = calls.map((call) => this.#refusal(call, time) ?? this.#store(call, time, entries));
      return { answers, entries };
    });
  }

  /** Why a call is not stored, `undefined` when it is. Asked before anything of it is. */
  #refusal(call: readonly NewEntry[], time: number): SourcecastError | undefined {
    for (const entry of call) {
      if (entry.after === undefined || this.#answerTo(entry, time) !== undefined) continue;
      const conflict = conflictOf(entry, {
        epoch: this.#epoch,
        top: this.#top.offset,
        witnessAt: (offset) => this.#witnessAt(offset),
        lastOf: (channel) => this.#lastOf(channel),
      });
      if (conflict !== undefined) return conflict;
    }
    return undefined;
  }

  #witnessAt(offset: number): number | undefined {
    const floor = this.#floor.get();
    if (offset === Number(floor?.trimmed)) return Number(floor?.trimmed_witness);
    const row = offset < Number(floor?.trimmed) ? undefined : this.#witness.get(offset);
    return row == null ? undefined : Number(row.witness);
  }

  /** Offset of the newest entry of a channel, or one above it where that is no longer known. */
  #lastOf(channel: string): number {
    const last = Number(this.#last.get(channel)?.offset ?? 0);
    const { trimmed, ofChannel } = this.#trimmed.get(channel) ?? { trimmed: 0, ofChannel: 0 };
    // Below what was trimmed there is only the newest of each key, and what came behind it may be gone.
    return last > trimmed ? last : Math.max(last, Number(ofChannel));
  }

  #store(call: readonly NewEntry[], time: number, entries: LogEntry[]): Appended[] {
    return call.map((entry) => {
      const answer = this.#answerTo(entry, time);
      if (answer !== undefined) return answer;
      const placed = this.#place(entry, time);
      entries.push(placed);
      const { offset, witness } = placed;
      if (entry.idempotencyKey !== undefined) {
        this.#remember.run(entry.channel, entry.idempotencyKey, time, offset, witness);
      }
      return { epoch: this.#epoch, offset, witness };
    });
  }

  #place({ channel, type, data, key, sender }: NewEntry, time: number): LogEntry {
    const entry: LogEntry = {
      offset: this.#top.offset + 1,
      witness: makeWitness(),
      previousWitness: this.#top.witness,
      time,
      channel,
      type,
      data,
      key,
      sender,
    };
    if (key !== undefined) {
      this.#supersede.run(channel, key);
      this.#bury.run(channel, key);
    }
    const { offset, witness, previousWitness } = entry;
    this.#top = { offset, witness, weight: this.#top.weight + weightOf(entry) };
    const { weight } = this.#top;
    this.#insert.run(offset, witness, time, weight, channel, type, key ?? null, sender ?? null, data, previousWitness);
    return entry;
  }

  #answerTo(entry: NewEntry, time: number): Appended | undefined {
    if (entry.idempotencyKey === undefined) return undefined;
    const answer = this.#answer.get(entry.channel, entry.idempotencyKey, time - this.#window);
    if (answer == null) return undefined;
    return { epoch: this.#epoch, offset: Number(answer.offset), witness: Number(answer.witness), duplicate: true };
  }
}
