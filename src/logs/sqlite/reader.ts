// Reading the log: pages, the last entries, witnesses, what tails take. Each answer is of one state of the database.

import type { TailPage } from "../../log/follow-tail.ts";
import type { ChannelSelection, Head, LogEntry, Page, ReadOptions, ValueOptions, ValuePage } from "../../log/log.ts";
import { compileSelection, hasPrefix } from "../../log/selection.ts";
import { ChannelNames, rangeOf, TrimmedChannels } from "./channels.ts";
import type { SqlConnection, Statement } from "./connection.ts";
import { type FoundPage, PageFinder } from "./pages.ts";
import { type EntryRow, EntryRows, entryColumns, entryOf } from "./rows.ts";
import { headOf, type LogState, StateReader } from "./state.ts";
import { StoredWitnesses } from "./witnesses.ts";

/** Bytes and entries that a tail takes at once. */
const tailPageBytes = 4 * 1024 ** 2;
const tailPageEntries = 1_000;
/** Values that one page has at most: they are bounded by bytes alone. */
const maxValuesPerPage = 1_024;
/**
 * Up to this many channels are queried one by one for their last entries. With more, the log is scanned from its end.
 */
const maxNamedChannels = 1_000;
/** Entries that such a scan looks at. */
const scannedFromEnd = 4_096;

/**
 * Answers every question of the contract that does not write. Each answer is one transaction, which in WAL mode sees
 * one state while others commit: entries, `trimmed` and `floor` of a page fit together, so that no loss is missed
 * between them.
 *
 * Methods that take a {@link LogState} run within the transaction that read it.
 */
export class Reader {
  readonly #connection: SqlConnection;
  readonly #state: StateReader;
  readonly #rows: EntryRows;
  readonly #names: ChannelNames;
  readonly #trimmed: TrimmedChannels;
  readonly #witnesses: StoredWitnesses;
  readonly #all: PageFinder;
  readonly #conflated: PageFinder;
  readonly #values: PageFinder;
  readonly #witnessAt: Statement<{ witness: number }>;
  readonly #firstSuperseded: Statement<SupersededRow>;
  readonly #lastSuperseded: Statement<SupersededRow>;
  readonly #lastOfChannel: Statement<{ offset: number }>;
  readonly #lastOfRange: Statement<{ offset: number; channel: string }>;
  readonly #scanDown: Statement<{ offset: number; channel: string; superseded: number }>;
  readonly #next: Statement<EntryRow>;

  constructor(connection: SqlConnection) {
    this.#connection = connection;
    this.#state = new StateReader(connection);
    this.#rows = new EntryRows(connection);
    this.#names = new ChannelNames(connection);
    this.#trimmed = new TrimmedChannels(connection);
    this.#witnesses = new StoredWitnesses(connection);
    const ofChannel = (condition: string) =>
      `SELECT offset, weight FROM sse_entry WHERE channel = ? AND ${condition} AND offset > ? AND offset < ? ORDER BY offset LIMIT ?`;
    const scan = "FROM sse_entry WHERE offset > ? AND offset <= ? ORDER BY offset LIMIT ?";
    this.#conflated = new PageFinder(connection, {
      ofChannel: [ofChannel("superseded = 0")],
      scan: `SELECT offset, weight, channel, superseded AS skipped ${scan}`,
    });
    this.#all = new PageFinder(connection, {
      ofChannel: [ofChannel("superseded = 0"), ofChannel("superseded = 1")],
      scan: `SELECT offset, weight, channel, 0 AS skipped ${scan}`,
    });
    const isValue = "key IS NOT NULL AND superseded = 0";
    this.#values = new PageFinder(connection, {
      condition: isValue,
      ofChannel: [ofChannel(isValue).replace("sse_entry", "sse_entry INDEXED BY sse_entry_value")],
      scan: `SELECT offset, weight, channel, 0 AS skipped FROM sse_entry INDEXED BY sse_entry_value_order
        WHERE ${isValue} AND offset > ? AND offset <= ? ORDER BY offset LIMIT ?`,
    });
    const prepare = <Row>(sql: string) => connection.prepare<Row>(sql);
    this.#witnessAt = prepare("SELECT witness FROM sse_entry WHERE offset = ?");
    const superseded = `SELECT offset, key_ordinal FROM sse_entry
      WHERE channel = ? AND superseded = 1 AND offset > ? AND offset <= ? ORDER BY offset`;
    this.#firstSuperseded = prepare(`${superseded} LIMIT 1`);
    this.#lastSuperseded = prepare(`${superseded} DESC LIMIT 1`);
    this.#lastOfChannel = prepare(
      "SELECT offset FROM sse_entry WHERE channel = ? AND superseded = 0 AND offset > ? ORDER BY offset DESC LIMIT ?",
    );
    this.#lastOfRange = prepare(
      `SELECT offset, channel FROM sse_entry INDEXED BY sse_entry_channel
       WHERE channel >= ? AND channel < ? AND superseded = 0 ORDER BY offset DESC LIMIT ?`,
    );
    this.#scanDown = prepare(
      `SELECT offset, channel, superseded FROM sse_entry ORDER BY offset DESC LIMIT ${scannedFromEnd}`,
    );
    // The first entry sets the bound by its running total, so it is delivered however large it is, without a sum over
    // rows.
    this.#next = prepare(
      `SELECT ${entryColumns(connection)} FROM sse_entry
       WHERE offset > ? AND total_weight <= ${tailPageBytes} + (SELECT total_weight FROM sse_entry WHERE offset > ? ORDER BY offset LIMIT 1)
       ORDER BY offset LIMIT ${tailPageEntries}`,
    );
  }

  head(): Head {
    return this.#connection.read(() => headOf(this.#state.read()));
  }

  witnesses(offsets: readonly number[]): (number | undefined)[] {
    return this.#connection.read(() => {
      const state = this.#state.read();
      return offsets.map((offset) => this.witnessAt(offset, state));
    });
  }

  /** Within a transaction. */
  witnessAt(offset: number, state: LogState): number | undefined {
    if (offset === 0) return state.origin;
    if (offset === state.trimmed) return state.trimmedWitness;
    if (offset < state.trimmed) return this.#witnesses.at(offset);
    const found = this.#witnessAt.get(offset)?.witness;
    return found == null ? undefined : Number(found);
  }

  /**
   * A page of the contract. `upTo` is `after` for a reader past the head, so `through` never falls below `after`. The
   * trimmed offset comes from the same transaction as the entries, since another process may run retention between
   * two.
   */
  read(after: number, { limit, maxBytes, selection, conflate }: ReadOptions): Page {
    return this.#connection.read(() => {
      const state = this.#state.read();
      const bounds = { after, upTo: Math.max(after, state.top), limit, maxBytes };
      const found = (conflate ? this.#conflated : this.#all).find(bounds, selection);
      const entries = this.#rows.at(found.offsets);
      return {
        epoch: state.epoch,
        entries,
        through: found.through,
        conflated: conflate ? this.#supersededIn(found, entries, Math.max(after, state.trimmed)) : 0,
        trimmed: conflate ? this.#trimmed.of(selection, state) : this.#trimmed.withSuperseded(selection, state),
        floor: { offset: state.trimmed, witness: state.trimmedWitness },
      };
    });
  }

  /**
   * The last selected entries that are not superseded, by channel while there are few, otherwise from the end of the
   * log.
   */
  last(count: number, selection: ChannelSelection): LogEntry[] {
    return this.#connection.read(() => {
      const names = this.#names.find(selection, maxNamedChannels);
      const found = names === undefined ? this.#scanLast(count, selection) : this.#lastOf(count, names);
      return this.#rows.at(found.sort((a, b) => a - b));
    });
  }

  /**
   * The partial indexes over values contain entries below the trimmed offset too, so nothing has to be added for those
   * that retention took from the sequence.
   */
  values(selection: ChannelSelection, { after, upTo, maxBytes }: ValueOptions): ValuePage {
    return this.#connection.read(() => {
      const { epoch } = this.#state.read();
      const bounds = { after, upTo: Math.max(after, upTo), limit: maxValuesPerPage, maxBytes };
      const { offsets, through } = this.#values.find(bounds, selection);
      return { epoch, entries: this.#rows.at(offsets), through };
    });
  }

  /** The next entries for a tail, superseded ones too, and the head of the same state. */
  next(offset: number): TailPage {
    return this.#connection.read(() => {
      const state = this.#state.read();
      // Below the trimmed offset are only kept values, which are not part of the sequence that a tail delivers.
      const after = Math.max(offset, state.trimmed);
      return { head: headOf(state), entries: this.#next.all(after, after).map(entryOf) };
    });
  }

  /** How many superseded entries a page leaves out after an offset. */
  #supersededIn({ names, through, superseded }: FoundPage, entries: readonly LogEntry[], after: number): number {
    // A scan has met each superseded entry and counted it. A merge skips them by the index, so their number is computed.
    if (names === undefined) return superseded;
    let count = 0;
    for (const name of names) {
      const first = this.#firstSuperseded.get(name, after, through);
      const last = first == null ? null : this.#lastSuperseded.get(name, after, through);
      if (first == null || last == null) continue;
      // Entries with a key are numbered. Those between the two that are not superseded are on the page.
      const shown = entries.filter(
        ({ channel, key, offset }) =>
          channel === name && key !== undefined && offset > Number(first.offset) && offset < Number(last.offset),
      );
      count += Number(last.key_ordinal) - Number(first.key_ordinal) + 1 - shown.length;
    }
    return count;
  }

  /** Keeps `found` in descending order, so the entry at `count - 1` is the one that a candidate has to be newer than. */
  #lastOf(count: number, names: readonly string[]): number[] {
    let found: number[] = [];
    for (const name of names) {
      // Only what is newer than all that have been found in other channels can still be among the last.
      const least = found.length < count ? 0 : (found[count - 1] as number);
      const rows = this.#lastOfChannel.all(name, least, count);
      if (rows.length === 0) continue;
      found = [...found, ...rows.map(({ offset }) => Number(offset))].sort((a, b) => b - a).slice(0, count);
    }
    return found;
  }

  /** Of very many channels, the last are near the end, most often. */
  #scanLast(count: number, selection: ChannelSelection): number[] {
    const isSelected = compileSelection(selection);
    const found: number[] = [];
    for (const { offset, channel, superseded } of this.#scanDown.all()) {
      if (found.length === count) return found;
      if (Number(superseded) === 0 && isSelected(channel)) found.push(Number(offset));
    }
    return found.length === count ? found : this.#lastOfMany(count, selection);
  }

  /** Where the last are not near the end, the prefixes have few entries, so an index is read over each whole prefix. */
  #lastOfMany(count: number, { channels, prefixes }: ChannelSelection): number[] {
    const found = new Set(this.#lastOf(count, channels));
    for (const prefix of prefixes) {
      const [from, to] = rangeOf(prefix);
      // All of them where the range has other names too.
      const rows = this.#lastOfRange.all(from, to, from === prefix ? count : -1);
      for (const { offset, channel } of rows) if (hasPrefix(channel, prefix)) found.add(Number(offset));
    }
    return [...found].sort((a, b) => b - a).slice(0, count);
  }
}

interface SupersededRow {
  offset: number;
  key_ordinal: number;
}
