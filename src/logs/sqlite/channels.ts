// The channels of a selection, found in indexes by name or by prefix.
import type { ChannelSelection } from "../../log/log.ts";
import { endOfPrefix, hasPrefix } from "../../log/selection.ts";
import type { SQLiteValue, SqlConnection, Statement } from "./connection.ts";
import type { LogState } from "./state.ts";

/** Sorts after every name: SQLite orders BLOBs after all text. */
const afterAllText = new Uint8Array(1);

/** From where to where the names with a prefix are. With half a character at its end, others are among them. */
export function rangeOf(prefix: string): [from: string, to: SQLiteValue] {
  const from = endsWithHalfCharacter(prefix) ? prefix.slice(0, -1) : prefix;
  return [from, endOfPrefix(from) ?? afterAllText];
}

/** Finds names in an index of `sse_entry` that begins with the channel. */
export class ChannelNames {
  readonly #names: Statement<{ name: string }>;

  /** @param condition Which entries count, for a partial index. */
  constructor(connection: SqlConnection, condition = "TRUE") {
    const first = `SELECT min(channel) FROM sse_entry WHERE ${condition} AND channel`;
    // From name to name by the index, without a look at the entries between.
    this.#names = connection.prepare(
      `WITH RECURSIVE names (name) AS (
         ${first} >= ? AND channel < ?
         UNION ALL
         SELECT (${first} > name AND channel < ?) FROM names WHERE name IS NOT NULL
       )
       SELECT name FROM names WHERE name IS NOT NULL LIMIT ?`,
    );
  }

  /**
   * The selected channels, `undefined` when there are more than `max`. Of a prefix, those that have entries.
   *
   * A prefix asks for one name more than `max`, which is enough to see that there are too many. Each name costs one
   * search of the index, however many entries its channel has.
   */
  find({ channels, prefixes }: ChannelSelection, max: number): string[] | undefined {
    const names = new Set(channels);
    for (const prefix of prefixes) {
      if (names.size > max) return undefined;
      const [from, to] = rangeOf(prefix);
      for (const { name } of this.#names.all(from, to, to, max + 1)) if (hasPrefix(name, prefix)) names.add(name);
    }
    return names.size > max ? undefined : [...names];
  }
}

/** How many of the channels that lost something most recently are checked before all channels of a prefix. */
const recentChannels = 256;

/** The tables of marks: entries without a key, and those with a key that a newer one superseded. */
export const lossTables = { plain: "sse_trimmed", superseded: "sse_superseded" } as const;

/** The highest offsets that channels have lost. */
export class TrimmedChannels {
  readonly #plain: LossMarks;
  readonly #superseded: LossMarks;

  constructor(connection: SqlConnection) {
    this.#plain = new LossMarks(connection, lossTables.plain);
    this.#superseded = new LossMarks(connection, lossTables.superseded);
  }

  /** The highest offset that the selection has lost, a higher one where that is not known. */
  of(selection: ChannelSelection | undefined, state: LogState): number {
    return selection === undefined ? state.trimmed : this.#plain.of(selection, state);
  }

  /** The same for a reader that also gets superseded entries. */
  withSuperseded(selection: ChannelSelection | undefined, state: LogState): number {
    if (selection === undefined) return state.trimmed;
    return Math.max(this.#plain.of(selection, state), this.#superseded.of(selection, state));
  }

  /** The highest offset that a channel has lost, superseded entries aside. */
  ofChannel(name: string, state: LogState): number {
    return this.#plain.ofChannel(name, state);
  }
}

/** The marks of one table. */
class LossMarks {
  readonly #ofChannel: Statement<{ offset: number }>;
  readonly #recentOfPrefix: Statement<{ offset: number }>;
  readonly #ofPrefix: Statement<{ offset: number | null }>;

  constructor(connection: SqlConnection, table: string) {
    this.#ofChannel = connection.prepare(`SELECT offset FROM ${table} WHERE channel = ?`);
    this.#recentOfPrefix = connection.prepare(
      `SELECT offset FROM (SELECT channel, offset FROM ${table} ORDER BY offset DESC LIMIT ${recentChannels})
       WHERE channel >= ? AND channel < ? LIMIT 1`,
    );
    this.#ofPrefix = connection.prepare(
      `SELECT max(offset) AS offset FROM ${table} WHERE channel >= ? AND channel < ?`,
    );
  }

  of({ channels, prefixes }: ChannelSelection, state: LogState): number {
    if (state.trimmed === 0) return 0;
    let trimmed = channels.length + prefixes.length === 0 ? 0 : state.forgotten;
    for (const name of channels) trimmed = Math.max(trimmed, this.ofChannel(name, state));
    for (const prefix of prefixes) {
      // The recent channels are in descending order, so the first match has the highest offset. Channels in use are
      // mostly among them, and then the marks of the whole prefix need not be read.
      const range = rangeOf(prefix);
      const found = this.#recentOfPrefix.get(...range) ?? this.#ofPrefix.get(...range);
      trimmed = Math.max(trimmed, Number(found?.offset ?? 0));
    }
    return trimmed;
  }

  /**
   * A channel without a row has lost nothing, or has lost its row to the bound on the table. Those two cannot be told
   * apart, so the answer covers both: a client may be told a false gap, but no gap is concealed.
   */
  ofChannel(name: string, state: LogState): number {
    return state.trimmed === 0 ? 0 : Number(this.#ofChannel.get(name)?.offset ?? state.forgotten);
  }
}

/**
 * True for a high surrogate at the end. The contract cuts prefixes by UTF-16 code units, but the database holds UTF-8,
 * where half of a pair is encoded as U+FFFD and would match no name.
 */
function endsWithHalfCharacter(text: string): boolean {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff;
}
