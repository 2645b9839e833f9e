// Reading the log: each method is one statement, whose answer is of one state of the log.
import { verify } from "../../log/complete.ts";
import type { TailPage } from "../../log/follow-tail.ts";
import type {
  ChannelSelection,
  Head,
  LocateAnswer,
  Located,
  LocateQuestion,
  LogEntry,
  Page,
  ReadOptions,
  ValueOptions,
  ValuePage,
} from "../../log/log.ts";
import { type EntryRow, entryOf, type HeadRow, headOf } from "./rows.ts";
import { rangeOf, selectionOf } from "./selection.ts";
import { encodeText } from "./text.ts";

/** Calls a function of the schema that reads, and resolves with its answer. */
export type Ask = (name: string, request?: unknown) => Promise<unknown>;

/** Answers the questions of the contract. */
export class Reader {
  /** Rejects with an error of the contract. */
  readonly #ask: Ask;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** From the primary: the answer of a replica is rejected. */
  async head(): Promise<Head> {
    return headOf((await this.#ask("head")) as HeadRow);
  }

  /** In the order of the offsets. */
  async witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    const found = (await this.#ask("witnesses", offsets)) as (number | null)[];
    // JSON has `null`, the contract `undefined`.
    return found.map((witness) => witness ?? undefined);
  }

  /** One page, with the state of the log that it belongs to. */
  async read(after: number, { limit, maxBytes, selection, conflate }: ReadOptions): Promise<Page> {
    const page = (await this.#ask("read", {
      after,
      limit,
      bytes: maxBytes,
      conflate,
      selection: selection && selectionOf(selection),
    })) as Omit<Page, "entries"> & { head: HeadRow; entries: EntryRow[] };
    // Throws for the answer of a replica, whose page may lack the newest entries.
    const { epoch, floor } = headOf(page.head);
    const { through, conflated, trimmed } = page;
    return { epoch, entries: page.entries.map(entryOf), through, conflated, trimmed, floor };
  }

  /** Oldest first. */
  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    return ((await this.#ask("last", { count, selection: selectionOf(selection) })) as EntryRow[]).map(entryOf);
  }

  /** A page of the newest entries of each key. */
  async values(selection: ChannelSelection, { after, upTo, maxBytes }: ValueOptions): Promise<ValuePage> {
    // The number of values is bounded by the server.
    const request = { after, upTo, bytes: maxBytes, selection: selectionOf(selection) };
    const { head, entries, through } = (await this.#ask("values", request)) as {
      head: HeadRow;
      entries: EntryRow[];
      through: number;
    };
    return { epoch: headOf(head).epoch, entries: entries.map(entryOf), through };
  }

  /** The next entries for a tail, superseded ones too, and whether the outbox has something. */
  async next(after: number): Promise<TailPage & { outbox: boolean }> {
    const { head, entries, outbox } = (await this.#ask("next", { after })) as {
      head: HeadRow;
      entries: EntryRow[];
      outbox: boolean;
    };
    return { head: headOf(head), entries: entries.map(entryOf), outbox };
  }

  /** In a storm, clients share channels and positions: each is asked for once. */
  async locate(questions: readonly LocateQuestion[]): Promise<Located> {
    const names = new Index<string>();
    const prefixes = new Index<string>();
    const offsets = new Index<number>();
    for (const { cursor, selection } of questions) {
      // Half a surrogate pair is not a name that any entry can have, and the server would reject it.
      for (const name of selection.channels) if (name.isWellFormed()) names.add(name);
      for (const prefix of selection.prefixes) if (rangeOf(prefix) !== undefined) prefixes.add(prefix);
      if (cursor !== null) offsets.add(cursor.offset);
    }
    const found = (await this.#ask("locate", {
      names: names.values.map(encodeText),
      ranges: prefixes.values.flatMap((prefix) => rangeOf(prefix) ?? []),
      offsets: offsets.values,
    })) as LocateRow;
    const head = headOf(found.head);
    // Made once for each channel: a storm names the same ones a thousand times.
    const ends = (found.channels ?? []).map(([end]) => (end === null ? null : entryOf(end)));
    return {
      head,
      answers: questions.map(({ cursor, selection }): LocateAnswer => {
        // A channel that is named twice has one end.
        const channels = new Set(selection.channels.map((name) => names.at(name)));
        // A name that was left out above has no row, and so has neither an end nor a loss.
        const rows = [
          ...Array.from(channels, (at) => found.channels?.[at]),
          ...selection.prefixes.map((prefix) => found.prefixes?.[prefixes.at(prefix)]),
        ].filter((row) => row !== undefined);
        return {
          // Decided here and not by the server: it is the rule that all logs of the kit share.
          verification: verify(cursor, head, (offset) => found.witnesses?.[offsets.at(offset)] ?? undefined),
          ends: Array.from(channels, (at) => ends[at] ?? null)
            .filter((end) => end !== null)
            .sort((a, b) => a.offset - b.offset),
          // Of several channels, the highest offset that any of them has lost.
          trimmed: Math.max(0, ...rows.map(([, trimmed]) => trimmed)),
          hasValues: rows.some(([, , hasValues]) => hasValues),
        };
      }),
    };
  }
}

/** In the order of the request; `null` for an empty list. */
interface LocateRow {
  readonly head: HeadRow;
  readonly channels: readonly FoundRow[] | null;
  readonly prefixes: readonly FoundRow[] | null;
  readonly witnesses: readonly (number | null)[] | null;
}

/** A channel, or all channels with a prefix, as far as a client needs to know. */
type FoundRow = readonly [end: EntryRow | null, trimmed: number, hasValues: boolean];

/** Different values, and the place of each. */
class Index<T> {
  readonly values: T[] = [];
  readonly #places = new Map<T, number>();

  /** A value that was added before keeps its place. */
  add(value: T): void {
    if (this.#places.has(value)) return;
    this.#places.set(value, this.values.length);
    this.values.push(value);
  }

  /** -1 for a value that was not added. */
  at(value: T): number {
    return this.#places.get(value) ?? -1;
  }
}
