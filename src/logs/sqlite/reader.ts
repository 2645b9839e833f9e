import type {
  ChannelSelection,
  Floor,
  Head,
  LogEntry,
  Page,
  ReadOptions,
  ValueOptions,
  ValuePage,
} from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { selects } from "../../log/selection.ts";
import type { SqlConnection, Statement } from "./connection.ts";
import { type EntryRow, endOfPrefix, entryColumns, entryOf } from "./rows.ts";

/** Up to so many channels are read one by one; of more, the log itself is read and they are picked out. */
const maxMergedChannels = 1_000;
/** Entries that are looked at in one go where channels are picked out. */
const scanEntries = 4_096;
/** Roughly the bytes that a tail takes at a time, and how many entries. */
const tailPageBytes = 4 * 1024 ** 2;
const tailPageEntries = 1_000;

/** Everything that is asked of the log. Each answer is of one state of the database. */
export class Reader {
  readonly #connection: SqlConnection;
  readonly #epoch: string;
  readonly #log: Statement<{ trimmed: number; trimmed_witness: number; floor: number }>;
  readonly #newest: Statement<{ offset: number; witness: number }>;
  readonly #at: Statement<EntryRow>;
  readonly #all: Statement<EntryRow>;
  readonly #countAll: Statement<{ count: number }>;
  readonly #ofChannel: Statement<EntryRow>;
  readonly #countOfChannel: Statement<{ count: number }>;
  readonly #lastOfChannel: Statement<EntryRow>;
  readonly #latestOfChannel: Statement<EntryRow>;
  readonly #latestOfPrefix: Statement<EntryRow>;
  readonly #names: Statement<{ name: string }>;
  readonly #scanUp: Statement<ScanRow>;
  readonly #scanDown: Statement<ScanRow>;
  readonly #trimmedOfChannel: Statement<{ offset: number }>;
  readonly #trimmedOfPrefix: Statement<{ offset: number | null }>;
  readonly #behind: Statement<EntryRow>;

  constructor(connection: SqlConnection, epoch: string) {
    this.#connection = connection;
    this.#epoch = epoch;
    const prepare = <Row>(sql: string) => connection.prepare<Row>(sql);
    const columns = entryColumns(connection);
    this.#log = prepare("SELECT trimmed, trimmed_witness, floor FROM sse_log");
    this.#newest = prepare("SELECT offset, witness FROM sse_entry ORDER BY offset DESC LIMIT 1");
    this.#at = prepare(`SELECT ${columns} FROM sse_entry WHERE offset = ?`);
    this.#all = prepare(`SELECT ${columns} FROM sse_entry WHERE offset > ? AND superseded = 0 ORDER BY offset LIMIT ?`);
    this.#countAll = prepare(
      "SELECT count(*) AS count FROM sse_entry WHERE offset > ? AND offset <= ? AND superseded = 1",
    );
    const ofChannel = `SELECT ${columns} FROM sse_entry WHERE channel = ? AND superseded = 0`;
    this.#ofChannel = prepare(`${ofChannel} AND offset > ? AND offset < ? ORDER BY offset LIMIT ?`);
    this.#countOfChannel = prepare(
      "SELECT count(*) AS count FROM sse_entry WHERE channel = ? AND superseded = 1 AND offset > ? AND offset <= ?",
    );
    this.#lastOfChannel = prepare(`${ofChannel} AND offset > ? ORDER BY offset DESC LIMIT ?`);
    this.#latestOfChannel = prepare(`${ofChannel} AND key IS NOT NULL`);
    this.#latestOfPrefix = prepare(
      `SELECT ${columns} FROM sse_entry WHERE channel >= ? AND channel < ? AND key IS NOT NULL AND superseded = 0`,
    );
    // From name to name by the index, without a look at the entries between.
    this.#names = prepare(
      `WITH RECURSIVE names (name) AS (
         SELECT min(channel) FROM sse_entry WHERE channel >= ? AND channel < ?
         UNION ALL
         SELECT (SELECT min(channel) FROM sse_entry WHERE channel > name AND channel < ?) FROM names WHERE name IS NOT NULL
       )
       SELECT name FROM names WHERE name IS NOT NULL LIMIT ?`,
    );
    const scan = "SELECT offset, superseded, channel FROM sse_entry";
    this.#scanUp = prepare(`${scan} WHERE offset > ? ORDER BY offset LIMIT ?`);
    this.#scanDown = prepare(`${scan} WHERE offset < ? ORDER BY offset DESC LIMIT ?`);
    this.#trimmedOfChannel = prepare("SELECT offset FROM sse_trimmed WHERE channel = ?");
    this.#trimmedOfPrefix = prepare("SELECT max(offset) AS offset FROM sse_trimmed WHERE channel >= ? AND channel < ?");
    this.#behind = prepare(
      `SELECT ${columns} FROM sse_entry
       WHERE offset > ? AND weight <= ${tailPageBytes} + (SELECT weight FROM sse_entry WHERE offset > ? ORDER BY offset LIMIT 1)
       ORDER BY offset LIMIT ${tailPageEntries}`,
    );
  }

  head(): Head {
    return this.#connection.read(() => {
      const newest = this.#newest.get();
      const floor = this.#floor();
      const [top, witness] = [Number(newest?.offset ?? 0), Number(newest?.witness ?? floor.witness)];
      return { epoch: this.#epoch, top, witness, floor };
    });
  }

  witnesses(offsets: readonly number[]): (number | undefined)[] {
    return this.#connection.read(() => {
      const floor = this.#floor();
      return offsets.map((offset) => {
        if (offset <= floor.offset) return offset === floor.offset ? floor.witness : undefined;
        const row = this.#at.get(offset);
        return row == null ? undefined : Number(row.witness);
      });
    });
  }

  read(after: number, { limit, maxBytes, selection, conflate }: ReadOptions): Page {
    return this.#connection.read(() => {
      const top = Math.max(after, Number(this.#newest.get()?.offset ?? 0));
      const found = conflate ? this.#select(after, limit, top, selection) : this.#scanAll(after, limit, top, selection);
      const entries = firstPage(found.entries, maxBytes);
      const cut = entries.length < found.entries.length ? (entries.at(-1)?.offset as number) : found.through;
      const conflated = cut === found.through ? found.conflated : this.#conflated(after, cut, selection);
      const rest = { trimmed: this.#trimmed(selection), floor: this.#floor() };
      return { epoch: this.#epoch, entries, through: cut, conflated, ...rest };
    });
  }

  last(count: number, selection: ChannelSelection): LogEntry[] {
    return this.#connection.read(() => {
      const names = this.#channels(selection);
      if (names === undefined) return this.#scanLast(count, selection);
      let found: EntryRow[] = [];
      for (const name of names) {
        // Only what is newer than all that have been found in other channels can still be among the last.
        const least = found.length < count ? 0 : Number(found[count - 1]?.offset);
        const rows = this.#lastOfChannel.all(name, least, count);
        if (rows.length > 0) found = [...found, ...rows].sort((a, b) => byOffset(b, a)).slice(0, count);
      }
      return found.reverse().map(entryOf);
    });
  }

  latest({ channels, prefixes }: ChannelSelection, { after, upTo, maxBytes }: ValueOptions): ValuePage {
    return this.#connection.read(() => {
      const rows = [
        ...channels.flatMap((name) => this.#latestOfChannel.all(name)),
        ...prefixes.flatMap((prefix) => this.#latestOfPrefix.all(prefix, endOfPrefix(prefix))),
      ];
      const byPosition = new Map(rows.map((row) => [Number(row.offset), entryOf(row)]));
      const all = [...byPosition.values()].filter(({ offset }) => offset > after && offset <= upTo).sort(byOffset);
      const entries = firstPage(all, maxBytes);
      const through = entries.length < all.length ? (entries.at(-1)?.offset as number) : upTo;
      return { epoch: this.#epoch, entries, through };
    });
  }

  /** The next entries for a tail, superseded ones too. None when it is at the head. */
  entriesAfter(position: number): LogEntry[] {
    return this.#connection.read(() => {
      const after = Math.max(position, Number(this.#log.get()?.trimmed));
      return this.#behind.all(after, after).map(entryOf);
    });
  }

  #floor(): Floor {
    const log = this.#log.get();
    return { offset: Number(log?.trimmed), witness: Number(log?.trimmed_witness) };
  }

  /** Every entry, superseded or not. */
  #scanAll(after: number, limit: number, top: number, selection: ChannelSelection | undefined): Found {
    const rows = this.#scanUp.all(after, scanEntries);
    const entries: LogEntry[] = [];
    for (const row of rows) {
      if (!selects(selection, row.channel)) continue;
      entries.push(entryOf(this.#at.get(row.offset) as EntryRow));
      if (entries.length === limit) return { entries, through: Number(row.offset), conflated: 0 };
    }
    return { entries, through: rows.length < scanEntries ? top : Number(rows.at(-1)?.offset), conflated: 0 };
  }

  #conflated(after: number, through: number, selection: ChannelSelection | undefined): number {
    if (selection === undefined) return Number(this.#countAll.get(after, through)?.count);
    const names = this.#channels(selection) ?? [];
    const counts = names.map((name) => Number(this.#countOfChannel.get(name, after, through)?.count));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  #select(after: number, limit: number, top: number, selection: ChannelSelection | undefined): Found {
    if (selection === undefined) {
      const entries = this.#all.all(after, limit).map(entryOf);
      const through = throughOf(entries, limit, top);
      return { entries, through, conflated: Number(this.#countAll.get(after, through)?.count) };
    }
    const names = this.#channels(selection);
    return names === undefined ? this.#scan(after, limit, top, selection) : this.#merge(after, limit, top, names);
  }

  #merge(after: number, limit: number, top: number, names: readonly string[]): Found {
    let found: EntryRow[] = [];
    for (const name of names) {
      // What lies behind the page that has been found in other channels is not asked for.
      const end = found.length < limit ? Number.MAX_SAFE_INTEGER : Number(found[limit - 1]?.offset);
      const rows = this.#ofChannel.all(name, after, end, limit);
      if (rows.length > 0) found = [...found, ...rows].sort(byOffset).slice(0, limit);
    }
    const entries = found.map(entryOf);
    const through = throughOf(entries, limit, top);
    let conflated = 0;
    for (const name of names) conflated += Number(this.#countOfChannel.get(name, after, through)?.count);
    return { entries, through, conflated };
  }

  /** Looks at a stretch of the log, the rest is for the next page. */
  #scan(after: number, limit: number, top: number, selection: ChannelSelection): Found {
    const rows = this.#scanUp.all(after, scanEntries);
    const entries: LogEntry[] = [];
    let conflated = 0;
    for (const row of rows) {
      if (!selects(selection, row.channel)) continue;
      if (Number(row.superseded) === 1) conflated++;
      else entries.push(entryOf(this.#at.get(row.offset) as EntryRow));
      if (entries.length === limit) return { entries, through: Number(row.offset), conflated };
    }
    const through = rows.length < scanEntries ? top : Number(rows.at(-1)?.offset);
    return { entries, through, conflated };
  }

  #scanLast(count: number, selection: ChannelSelection): LogEntry[] {
    const found: LogEntry[] = [];
    let before = Number.MAX_SAFE_INTEGER;
    for (;;) {
      const rows = this.#scanDown.all(before, scanEntries);
      for (const row of rows) {
        if (found.length === count) break;
        if (Number(row.superseded) === 1 || !selects(selection, row.channel)) continue;
        found.push(entryOf(this.#at.get(row.offset) as EntryRow));
      }
      if (found.length === count || rows.length < scanEntries) return found.reverse();
      before = Number(rows.at(-1)?.offset);
    }
  }

  /** The selected channels that have entries, `undefined` when they are too many to be read one by one. */
  #channels({ channels, prefixes }: ChannelSelection): string[] | undefined {
    const names = new Set(channels);
    for (const prefix of prefixes) {
      const end = endOfPrefix(prefix);
      for (const { name } of this.#names.all(prefix, end, end, maxMergedChannels)) names.add(name);
    }
    return prefixes.length > 0 && names.size >= maxMergedChannels ? undefined : [...names];
  }

  #trimmed(selection: ChannelSelection | undefined): number {
    const log = this.#log.get();
    if (selection === undefined) return Number(log?.trimmed);
    const floor = Number(log?.floor);
    const ofChannels = selection.channels.map((name) => Number(this.#trimmedOfChannel.get(name)?.offset ?? floor));
    const ofPrefixes = selection.prefixes.map((prefix) => {
      return Math.max(floor, Number(this.#trimmedOfPrefix.get(prefix, endOfPrefix(prefix))?.offset ?? 0));
    });
    return Math.max(0, ...ofChannels, ...ofPrefixes);
  }
}

type Found = Pick<Page, "entries" | "through" | "conflated">;

interface ScanRow {
  offset: number;
  superseded: number;
  channel: string;
}

function firstPage(entries: readonly LogEntry[], maxBytes: number): LogEntry[] {
  let bytes = 0;
  const end = entries.findIndex((entry, index) => {
    bytes += weightOf(entry);
    return index > 0 && bytes > maxBytes;
  });
  return end === -1 ? [...entries] : entries.slice(0, end);
}

/** A full page ends with its last entry, any other reaches to the head. */
function throughOf(entries: readonly LogEntry[], limit: number, top: number): number {
  return entries.length < limit ? top : (entries.at(-1)?.offset ?? top);
}

function byOffset(a: { offset: number }, b: { offset: number }): number {
  return Number(a.offset) - Number(b.offset);
}
