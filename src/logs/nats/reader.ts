// Reading: pages of a selection, the last few entries, and values.
import { LogError } from "../../base/errors.ts";
import type { ChannelSelection, LogEntry, Page, ReadOptions, ValueOptions, ValuePage } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { type ChannelMatcher, compileSelection } from "../../log/selection.ts";
import type { HeadReader, Observation } from "./head-reader.ts";
import { toEntry } from "./message.ts";
import type { PageCache } from "./pages.ts";
import type { ValueStore } from "./values.ts";

/** Most entries that one call looks through for those of its selection. */
const maxScanned = 4_096;
/** Attempts at one page, while entries are removed that it needs. */
const maxAttempts = 5;

/** The parts of the log that a reader uses. */
export interface ReaderContext {
  readonly heads: HeadReader;
  readonly pages: PageCache;
  readonly values: ValueStore;
}

/** Entries that a page needs were removed since the head was read. */
const overtaken: unique symbol = Symbol("overtaken");

/**
 * The stream is read as a whole, page by page, and the pages are shared: 10,000 clients that reconnect with channels of
 * their own need the same ones. Each takes its channels from them.
 *
 * `trimmed` of every page is the floor of the log: the stream does not say which channels its removed messages had. So a
 * client of a quiet channel may be told a gap, but no gap is concealed.
 *
 * Each answer begins with the head, from the leader. Pages may come from another server, which may lag or be ahead. They
 * are used as far as they agree with that head, and read again otherwise.
 */
export class Reader {
  readonly #context: ReaderContext;

  constructor(context: ReaderContext) {
    this.#context = context;
  }

  /**
   * First the values that were kept of removed entries, then the entries. A page that looked through many entries of other
   * channels ends before its limit, so that one reader of a quiet channel does not hold up the others.
   */
  async read(after: number, options: ReadOptions): Promise<Page> {
    return this.#retried(async (state) => {
      const { head } = state;
      const { epoch, floor } = head;
      const page = new PageBuilder(after, options);
      // `through` never goes back, although a position may be one that the log has lost.
      const done = (through: number): Page => {
        return { epoch, ...page.result, through: Math.max(after, through), trimmed: floor.offset, floor };
      };
      if (after >= head.top) return done(after);
      // A reader that is older than the floor gets the values of removed entries, as the contract has it.
      if (after < floor.offset) {
        for (const entry of await this.#context.values.kept(options.selection, state)) {
          // The page is full before the sequence begins. The rest of the values is on the next one.
          if (entry.offset > after && !page.add(entry)) return done(page.last);
        }
      }
      let position = Math.max(after, floor.offset);
      for (let scanned = 0; position < head.top && scanned < maxScanned; ) {
        const entries = await this.#context.pages.after(position, state);
        // Retention removed the next entry after the head was read: what is missing has to be in `trimmed`.
        if (entries[0]?.offset !== position + 1) return overtaken;
        const isSuperseded = await this.#superseded(entries, options, state, page.matches);
        for (const entry of entries) {
          if (isSuperseded(entry)) page.skip();
          // Up to the entry that has no place, everything is accounted for.
          else if (!page.add(entry)) return done(entry.offset - 1);
        }
        position = entries.at(-1)?.offset as number;
        scanned += entries.length;
      }
      return done(position);
    });
  }

  /** Back from the head: of entries with one key, the first that is found is the newest. */
  async last(count: number, selection: ChannelSelection): Promise<LogEntry[]> {
    return this.#retried(async (state) => {
      const { head } = state;
      const matches = compileSelection(selection);
      const found: LogEntry[] = [];
      const keys = new Set<string>();
      const take = (entry: LogEntry): void => {
        if (found.length >= count || !matches(entry.channel)) return;
        if (entry.key !== undefined) {
          const name = JSON.stringify([entry.channel, entry.key]);
          if (keys.has(name)) return;
          keys.add(name);
        }
        found.push(entry);
      };
      for (let end = head.top; end > head.floor.offset && found.length < count; ) {
        // Aligned, so that all readers on their way back share the same parts.
        const begin = Math.max(head.floor.offset, Math.floor((end - 1) / backwardEntries) * backwardEntries);
        const part = await this.#between(begin, end, state);
        if (part === overtaken) return overtaken;
        for (const entry of part.reverse()) take(entry);
        end = begin;
      }
      // The entries did not suffice, so the values before them count, too.
      if (found.length < count) {
        for (const entry of (await this.#context.values.kept(selection, state)).reverse()) take(entry);
      }
      return found.reverse();
    });
  }

  /** Values of removed entries come first: they are older than every retained one. */
  async latestByKey(selection: ChannelSelection, { after, upTo, maxBytes }: ValueOptions): Promise<ValuePage> {
    return this.#retried(async (state) => {
      const { head } = state;
      const page = new PageBuilder(after, { limit: Number.POSITIVE_INFINITY, maxBytes, selection });
      const isAsked = ({ offset }: { offset: number }) => offset > after && offset <= upTo;
      const done = (through: number): ValuePage => ({ epoch: head.epoch, entries: page.result.entries, through });
      // First the entries, then the values that were kept of removed ones: a value is written before its entry is removed.
      const retained = (await this.#context.values.retained(selection, state)).filter(isAsked);
      const kept = after < head.floor.offset ? await this.#context.values.kept(selection, state) : [];
      const { floor } = (await this.#context.heads.observe()).head;
      // Retention ran in between, so an entry may be in both answers or in none.
      if (floor.offset !== head.floor.offset) return overtaken;
      for (const entry of kept.filter(isAsked)) if (!page.add(entry)) return done(page.last);
      for (const message of retained) {
        // Checked before the witness is looked up, which may cost a request.
        if (page.isFullFor(message)) return done(page.last);
        const previousWitness = await this.#context.pages.witnessAt(message.offset - 1, state);
        if (previousWitness === undefined) return overtaken;
        page.add(toEntry(message, previousWitness));
      }
      return done(upTo);
    });
  }

  /** All offsets of one page cost one request, or none. */
  async witnesses(offsets: readonly number[]): Promise<(number | undefined)[]> {
    if (offsets.length === 0) return [];
    const state = await this.#context.heads.observe();
    return Promise.all(offsets.map((offset) => this.witnessAt(offset, state)));
  }

  /** That of the origin is known whatever was removed. */
  async witnessAt(offset: number, state: Observation): Promise<number | undefined> {
    return offset === 0 ? state.incarnation.originWitness : this.#context.pages.witnessAt(offset, state);
  }

  /** Which entries have a newer one of their key. Asked only where there are keys, in one question for all. */
  async #superseded(
    entries: readonly LogEntry[],
    { conflate }: ReadOptions,
    state: Observation,
    matches: ChannelMatcher,
  ): Promise<(entry: LogEntry) => boolean> {
    const keyed = conflate ? entries.filter(({ key, channel }) => key !== undefined && matches(channel)) : [];
    if (keyed.length === 0) return () => false;
    const { subjects } = state.incarnation;
    const newest = await this.#context.values.newestOffsets(keyed, state.incarnation);
    return (entry) => {
      if (entry.key === undefined || !matches(entry.channel)) return false;
      return (newest.get(subjects.of(entry)) ?? 0) > entry.offset;
    };
  }

  /** A part of the sequence, whole and in order. */
  async #between(begin: number, end: number, state: Observation): Promise<LogEntry[] | typeof overtaken> {
    const found: LogEntry[] = [];
    for (let position = begin; position < end; ) {
      const entries = await this.#context.pages.after(position, state);
      if (entries[0]?.offset !== position + 1) return overtaken;
      position = entries.at(-1)?.offset as number;
      for (const entry of entries) if (entry.offset <= end) found.push(entry);
    }
    return found;
  }

  /** The head comes first, and once more when entries were removed in between. */
  async #retried<T>(work: (state: Observation) => Promise<T | typeof overtaken>): Promise<T> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const result = await work(await this.#context.heads.observe());
      if (result !== overtaken) return result;
      // Pages may be those of a history that the log has lost.
      this.#context.pages.clear();
    }
    throw new LogError(
      "Entries are missing that the stream says it has, or are removed faster than they can be read",
      false,
    );
  }
}

/** Entries that are read at once on the way back from the head: parts of the pages that readers on their way share. */
const backwardEntries = 256;

/** Collects the entries of one page, within its limits. */
class PageBuilder {
  readonly matches: ChannelMatcher;
  readonly #limit: number;
  readonly #maxBytes: number;
  readonly #entries: LogEntry[] = [];
  /** The weight of the entries so far. */
  #bytes = 0;
  /** Superseded entries that were left out of this page. */
  #conflated = 0;
  readonly #after: number;

  constructor(after: number, options: Pick<ReadOptions, "limit" | "maxBytes" | "selection">) {
    this.#after = after;
    this.#limit = options.limit;
    this.#maxBytes = options.maxBytes;
    this.matches = compileSelection(options.selection);
  }

  /** The page so far. */
  get result(): { entries: LogEntry[]; conflated: number } {
    return { entries: this.#entries, conflated: this.#conflated };
  }

  /** The offset up to which entries were added. */
  get last(): number {
    return this.#entries.at(-1)?.offset ?? this.#after;
  }

  /** False, and not added, when the page is full. Entries of other channels take no place. */
  add(entry: LogEntry): boolean {
    if (!this.matches(entry.channel)) return true;
    if (this.isFullFor(entry)) return false;
    this.#bytes += weightOf(entry);
    this.#entries.push(entry);
    return true;
  }

  /** The first entry of a page always fits, however large it is. */
  isFullFor(entry: Pick<LogEntry, "channel" | "type" | "data" | "key">): boolean {
    if (this.#entries.length >= this.#limit) return true;
    return this.#entries.length > 0 && this.#bytes + weightOf(entry) > this.#maxBytes;
  }

  /** A newer entry supersedes this one, which counts on the page where it would have been. */
  skip(): void {
    this.#conflated++;
  }
}
