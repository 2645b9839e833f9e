// Pages of all channels, read once for all readers that need them, and filtered here: for logs on a remote store.
import { now, unrefTimeout } from "../base/clock.ts";
import { aFunction } from "../base/options.ts";
import type { Head, LogEntry, ReadOptions } from "./log.ts";
import { weightOf } from "./retention.ts";
import { compileSelection } from "./selection.ts";

/** A page of all channels. */
export interface UnselectedPage {
  /** The head of the same state. */
  readonly head: Head;
  /** The retained entries after an offset, oldest first, without a hole; as far as they fit a page, or up to the head. */
  readonly entries: readonly LogEntry[];
  /** The offsets of entries that a newer one of their key supersedes. */
  readonly superseded: ReadonlySet<number>;
}

/** The part of a page of all channels that is for one reader: the fields of a `Page` that depend on its entries. */
export interface SelectedEntries {
  /** The entries. */
  readonly entries: readonly LogEntry[];
  /** As in `Page`. */
  readonly through: number;
  /** As in `Page`. */
  readonly conflated: number;
}

interface LoadingPage {
  readonly after: number;
  /** The newest offset that was known when the read began. */
  readonly top: number;
  readonly page: Promise<KeptPage>;
}

/** Reads a page of all channels after an offset. */
export type ReadUnselected = (after: number) => Promise<UnselectedPage>;

/** How long a page is used for other readers: a storm of reconnecting clients has thousands in that time. */
const pageAgeMs = 1_000;
const maxPages = 16;

interface KeptPage {
  readonly page: UnselectedPage;
  readonly after: number;
  readonly through: number;
  readonly readAt: number;
}

/**
 * Reads pages without a selection, so that one serves readers of any channels: 10,000 clients that reconnect, each with a
 * channel of its own, cost as many round trips as there are pages between the oldest of them and the head.
 *
 * A page is kept for a second. It never hides what this process knows: a page that ended at the head is read again once
 * {@link SharedPages.noteTop} has announced a newer entry.
 */
export class SharedPages {
  readonly #read: ReadUnselected;
  #kept: KeptPage[] = [];
  /** Reads under way, by the offset after which they read. */
  readonly #loading = new Map<number, LoadingPage>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #top = 0;

  /**
   * @param read Reads a page of all channels from the primary: bounded, in whatever size the store reads well.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for anything but a function.
   */
  constructor(read: ReadUnselected) {
    aFunction(read, "read");
    this.#read = read;
  }

  /** The log has an entry at this offset: one that this process has appended, or that a tail has delivered. */
  noteTop(offset: number): void {
    this.#top = Math.max(this.#top, offset);
  }

  /** Forgets everything: the log was cut or replaced. */
  clear(): void {
    this.#kept = [];
    this.#loading.clear();
    this.#top = 0;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A page that has the entries after an offset, and perhaps some before. */
  async at(after: number): Promise<UnselectedPage> {
    const tried = new Set<LoadingPage>();
    for (;;) {
      this.#forgetOld();
      const known = this.#kept.find((each) => this.#covers(each, after));
      if (known !== undefined) return known.page;
      const loading = this.#findLoading(after, tried);
      if (loading === undefined) return (await this.#load(after)).page;
      tried.add(loading);
      const { page } = loading;
      const loaded = await page;
      // The page that this reader would read itself, however short it is.
      if (loaded.after === after) return loaded.page;
    }
  }

  /** A read under way that may have the entries. One that began before the newest entry was known may lack that. */
  #findLoading(after: number, tried: ReadonlySet<LoadingPage>): LoadingPage | undefined {
    const all = [...this.#loading.values()].filter((each) => each.top >= this.#top && !tried.has(each));
    return all.find((each) => each.after === after) ?? all.find((each) => each.after < after);
  }

  async #load(after: number): Promise<KeptPage> {
    const readAt = now();
    const page = this.#read(after).then((read) => {
      const through = read.entries.at(-1)?.offset ?? Math.max(after, read.head.floor.offset);
      return { page: read, after, through, readAt };
    });
    const loading = { after, top: this.#top, page };
    this.#loading.set(after, loading);
    try {
      const kept = await page;
      const isCurrent = this.#loading.get(after) === loading;
      const [newest] = this.#kept;
      if (newest !== undefined && isOlder(newest.page.head, kept.page.head)) this.#kept = [];
      if (isCurrent) this.#keep(kept);
      return kept;
    } finally {
      if (this.#loading.get(after) === loading) this.#loading.delete(after);
    }
  }

  #keep(page: KeptPage): void {
    this.#kept = [page, ...this.#kept].slice(0, maxPages);
    // After a storm, the memory is free again.
    this.#timer ??= unrefTimeout(() => {
      this.#timer = null;
      this.#forgetOld();
    }, pageAgeMs * 2);
  }

  #forgetOld(): void {
    const oldest = now() - pageAgeMs;
    this.#kept = this.#kept.filter(({ readAt }) => readAt > oldest);
  }

  #covers({ page, after, through }: KeptPage, offset: number): boolean {
    return after <= offset && offset < through && (through < page.head.top || through >= this.#top);
  }
}

/** Of another epoch, or of a state that the log has lost. */
function isOlder(kept: Head, present: Head): boolean {
  return kept.epoch !== present.epoch || kept.top > present.top;
}

/** The entries of a page that are for one reader. */
export function selectEntries(page: UnselectedPage, after: number, options: ReadOptions): SelectedEntries {
  const { limit, maxBytes, selection, conflate } = options;
  const matches = compileSelection(selection);
  const entries: LogEntry[] = [];
  let [bytes, conflated] = [0, 0];
  for (const entry of page.entries) {
    if (entry.offset <= after || !matches(entry.channel)) continue;
    if (conflate && page.superseded.has(entry.offset)) {
      conflated++;
      continue;
    }
    bytes += weightOf(entry);
    if (entries.length === limit || (entries.length > 0 && bytes > maxBytes)) {
      // Superseded entries after the last one are counted on the next page.
      const through = entries.at(-1)?.offset ?? after;
      return { entries, through, conflated: conflated - countAfter(page, through, entry.offset, matches) };
    }
    entries.push(entry);
  }
  return { entries, through: Math.max(after, page.entries.at(-1)?.offset ?? page.head.floor.offset), conflated };
}

function countAfter(page: UnselectedPage, after: number, before: number, matches: (name: string) => boolean): number {
  const isCounted = ({ offset, channel }: LogEntry) =>
    offset > after && offset < before && page.superseded.has(offset) && matches(channel);
  return page.entries.filter(isCounted).length;
}
