// Reading the log: pages, the last entries, the newest entry of each key, what tails take. Each answer is of one state.
import { makeEpoch, makeWitness } from "../../log/identity.ts";
import type { ChannelSelection, Head, LogEntry, Page, ReadOptions, ValueOptions, ValuePage } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { compileSelection } from "../../log/selection.ts";
import { SharedPages, selectEntries, type UnselectedPage } from "../../log/shared-pages.ts";
import { clearsOf, entriesOf, type HeadReply, headOf, type StreamBlock } from "./blocks.ts";
import { type Commands, Script } from "./commands.ts";
import { backScript, pageScript, valuesScript } from "./scripts/read.ts";
import { type SelectionArgs, selectionArgs } from "./selection.ts";

/** The size of a page of all channels, and of one that a tail takes. */
const pageEntries = 1_000;
const pageBytes = 1024 ** 2;
/** Values that one page has at most: they are bounded by bytes alone. */
const maxValuesPerPage = 1_024;
/** How often a page is put together again because the log was replaced in between. */
const maxReplacements = 3;

const scripts = { page: new Script(pageScript), back: new Script(backScript), values: new Script(valuesScript) };

/** The superseded entries, by their offsets. */
type PageReply = readonly [head: HeadReply, blocks: readonly StreamBlock[], superseded: readonly number[]];
/** `trimmed` is that of readers that conflate, and then that of the others. */
type ValuesReply = readonly [
  head: HeadReply,
  blocks: readonly StreamBlock[],
  through: number,
  trimmed: number,
  trimmedWithSuperseded: number,
];

/**
 * Each script gets an epoch and an origin witness first, in case the log is gone: the same call then begins a new one,
 * and answers with it.
 */
export class Reader {
  readonly #commands: Commands;
  /** Pages between the floor and the head. */
  readonly pages: SharedPages = new SharedPages((after) => this.pageAfter(after));

  readonly #onCleared: () => void;
  /** How many channels were cleared, as the last answer said. */
  #clears = 0;

  /** @param onCleared Called when an answer says that a channel was cleared since the answer before it. */
  constructor(commands: Commands, onCleared: () => void) {
    this.#commands = commands;
    this.#onCleared = onCleared;
  }

  /** Pages from before a channel was cleared have what is erased. Clients ask where they are before they read. */
  noteClears(clears: number): void {
    if (clears === this.#clears) return;
    this.#clears = clears;
    this.pages.clear();
    this.#onCleared();
  }

  /** All entries after an offset, superseded ones too, with the head of the same state. */
  async pageAfter(after: number, limit: number = pageEntries): Promise<UnselectedPage> {
    const args = [makeEpoch(), makeWitness(), after, limit, pageBytes];
    const reply = (await this.#commands.run(scripts.page, args)) as PageReply;
    this.noteClears(clearsOf(reply[0]));
    return pageOf(reply, after);
  }

  /** A page of nothing: there is no entry after the highest offset that can be. */
  async head(): Promise<Head> {
    return (await this.pageAfter(Number.MAX_SAFE_INTEGER, 1)).head;
  }

  /**
   * Above the floor, pages are shared by all readers. Below it there is only the newest entry of each key, and the answer to
   * what the selection has lost, which each reader asks for itself; at the head, where pages are empty, too.
   */
  async read(after: number, options: ReadOptions): Promise<Page> {
    for (let attempt = 1; ; attempt++) {
      // The page may be one that another reader has read, up to a second ago.
      const shared = await this.pages.at(after);
      const { head } = shared;
      if (after >= head.floor.offset && after < head.top) {
        const { floor, epoch } = head;
        // Everything that the selection has lost is before this page, so it does not matter how much that was.
        return { ...selectEntries(shared, after, options), epoch, trimmed: floor.offset, floor };
      }
      const page = await this.#readBelow(shared, after, options);
      if (page !== undefined) return page;
      if (attempt === maxReplacements) this.pages.clear();
    }
  }

  /** `undefined` when the log was replaced between the two answers. */
  async #readBelow(shared: UnselectedPage, after: number, options: ReadOptions): Promise<Page | undefined> {
    const { limit, maxBytes, selection, conflate } = options;
    const below = await this.#values({ after, upTo: -1, limit, maxBytes }, selection);
    const { head } = below;
    const { epoch, floor } = head;
    if (epoch !== shared.head.epoch) {
      this.pages.clear();
      return undefined;
    }
    // A reader without conflation misses superseded entries that are gone, too.
    const trimmed = conflate ? below.trimmed : below.trimmedWithSuperseded;
    const page = { epoch, trimmed, floor, entries: below.entries, conflated: 0 };
    if (below.through < floor.offset || below.entries.length === limit) {
      return {
        ...page,
        through: Math.max(after, Math.min(below.through, below.entries.at(-1)?.offset ?? below.through)),
      };
    }
    // Retention may have gone on since the shared page was read: what it took is among the entries below.
    const from = Math.max(after, floor.offset);
    const rest = maxBytes - below.entries.reduce((sum, entry) => sum + weightOf(entry), 0);
    const above = selectEntries(shared, from, { ...options, limit: limit - below.entries.length, maxBytes: rest });
    const [first] = above.entries;
    // A page has one entry however large it is, but only one.
    if (below.entries.length > 0 && first !== undefined && weightOf(first) > rest) return { ...page, through: from };
    return { ...page, ...above, entries: [...below.entries, ...above.entries] };
  }

  /** Reads back from the newest entry of the selection, page by page, and then the values that retention has left. */
  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    // Names and no prefixes: the script knows where the newest entry of each is, and begins there.
    const { names, prefixes } = selectionArgs(selection);
    const matches = compileSelection(selection);
    const found: LogEntry[] = [];
    let upTo = prefixes.length === 0 ? -1 : Number.MAX_SAFE_INTEGER;
    for (;;) {
      const args = [makeEpoch(), makeWitness(), upTo, pageEntries, pageBytes, ...names];
      const [headReply, blocks, places] = (await this.#commands.run(scripts.back, args)) as PageReply;
      const { head, superseded, ...page } = pageOf([headReply, blocks.toReversed(), places], 0);
      const entries = page.entries.filter(({ offset }) => upTo === -1 || offset <= upTo).reverse();
      for (const entry of entries) {
        if (found.length === count) break;
        if (matches(entry.channel) && !superseded.has(entry.offset)) found.push(entry);
      }
      const end = (entries.at(-1)?.offset ?? 0) - 1;
      if (found.length === count) return found.reverse();
      if (end <= head.floor.offset) return [...(await this.#kept(count - found.length, selection)), ...found.reverse()];
      upTo = end;
    }
  }

  /** Values are found by the sorted set of keys. Their entries are in the stream, or kept apart once that was trimmed. */
  async latestByKey(selection: ChannelSelection, { after, upTo, maxBytes }: ValueOptions): Promise<ValuePage> {
    const bounds = { after, upTo: Math.max(after, upTo), limit: maxValuesPerPage, maxBytes };
    const { head, entries, through } = await this.#values(bounds, selection);
    return { epoch: head.epoch, entries, through };
  }

  /** The last values of the selection that retention has taken from the sequence. */
  async #kept(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    const kept: LogEntry[] = [];
    for (let after = 0; ; ) {
      const bounds = { after, upTo: -1, limit: maxValuesPerPage, maxBytes: pageBytes };
      const { entries, through, head } = await this.#values(bounds, selection);
      kept.push(...entries);
      if (through >= head.floor.offset) return kept.slice(-count);
      after = through;
    }
  }

  /** The channels are filtered again: a prefix that ends within a character has found too many. */
  async #values(bounds: ValueBounds, selection: ChannelSelection | undefined): Promise<Values> {
    const { after, upTo, limit, maxBytes } = bounds;
    const { names, prefixes, matches }: SelectionArgs = selectionArgs(selection);
    const scope = [selection === undefined ? 1 : 0, names.length, ...names, ...prefixes];
    const args = [makeEpoch(), makeWitness(), after, upTo, limit, maxBytes, ...scope];
    const reply = (await this.#commands.run(scripts.values, args)) as ValuesReply;
    this.noteClears(clearsOf(reply[0]));
    const entries = reply[1].flatMap(entriesOf).filter(({ channel }) => matches(channel));
    return {
      head: headOf(reply[0]),
      entries,
      through: Number(reply[2]),
      trimmed: Number(reply[3]),
      trimmedWithSuperseded: Number(reply[4]),
    };
  }
}

/** Blocks at the ends of a page may have entries that are not a part of it. */
function pageOf([head, blocks, superseded]: PageReply, after: number): UnselectedPage {
  const { floor, ...rest } = headOf(head);
  const from = Math.max(after, floor.offset);
  const entries = blocks.flatMap(entriesOf).filter(({ offset }) => offset > from);
  return { head: { ...rest, floor }, entries, superseded: new Set(superseded.map(Number)) };
}

interface ValueBounds {
  /** Only values after this offset. */
  readonly after: number;
  /** -1 for the floor. */
  readonly upTo: number;
  readonly limit: number;
  readonly maxBytes: number;
}

interface Values {
  readonly head: Head;
  readonly entries: readonly LogEntry[];
  /** Values up to here are complete. */
  readonly through: number;
  /** The highest offset that the selection has lost, for a reader with `conflate`. */
  readonly trimmed: number;
  /** The same for a reader without. */
  readonly trimmedWithSuperseded: number;
}
