// Pages of the log between the ring and the readers that lag: each is read once for all readers that need it.
import { clearType } from "../../log/cleared.ts";
import type { ChannelSelection, Page } from "../../log/log.ts";
import { clientPage } from "../../log/page-size.ts";
import type { LogDeadline } from "../log-deadline.ts";
import type { Feed, FeedObserver } from "./feed.ts";
import type { RingEntry } from "./frame-ring.ts";
import { SharedPage } from "./shared-page.ts";

/** Memory for the pages that are kept for other readers. */
const maxCachedBytes = 16 * 1024 ** 2;

/** Pages that are being read, or that wait for their reader's turn. Beyond that, readers wait. */
const maxPagesInUse = 32;

/**
 * A bounded cache. A reader keeps no page while it waits for its client: when the reader continues, the page is usually
 * still here. Otherwise it is read from the log again, from the reader's position. So memory is bounded whatever
 * readers do.
 */
export class PageCache implements FeedObserver {
  readonly #feed: Feed;
  readonly #confirm: () => Promise<boolean>;
  readonly #deadline: LogDeadline;
  /** By the key of their query. */
  readonly #pages = new Map<string, SharedPage[]>();
  /** With their keys, in the order in which they were used last. */
  readonly #byUse = new Map<SharedPage, string>();
  /** Pages that are being read, by the key of their query and by the offset that they begin after. */
  readonly #loading = new Map<string, Map<number, Promise<SharedPage>>>();
  #bytes = 0;
  #pagesInUse = 0;
  #waiting: (() => void)[] = [];
  /** Pages that were not used since this was last emptied are dropped. */
  #used = new Set<SharedPage>();
  /** How often the sequence was broken, or a channel cleared. */
  #breaks = 0;

  /** @param confirm Asks the log whether it still has the newest entry that this process has delivered. */
  constructor(feed: Feed, confirm: () => Promise<boolean>, deadline: LogDeadline) {
    this.#feed = feed;
    this.#confirm = confirm;
    this.#deadline = deadline;
  }

  /** False for a page from before the last break: it may have entries that the log has lost, or of a channel that was cleared. */
  isCurrent({ breaks }: SharedPage): boolean {
    return breaks === this.#breaks;
  }

  /** The page with the entries after an offset, if it is here. The caller has to {@link release} it. */
  find({ key }: PageQuery, after: number): SharedPage | undefined {
    // Moved to the end: a `Map` keeps the order of insertion, which makes `#byUse` a list of the least recently used.
    const page = this.#pages.get(key)?.find((each) => each.covers(after));
    if (page === undefined) return undefined;
    this.#byUse.delete(page);
    this.#byUse.set(page, key);
    this.#used.add(page);
    return this.#use(page);
  }

  /**
   * Reads the page after an offset. The caller has to {@link release} it.
   *
   * Readers of the same channels that come together, as after a restart, wait for one read. Each waits for two reads of
   * others at most: their pages may turn out too short for it, or may not be kept. Beyond {@link maxPagesInUse}, readers
   * queue, so a thousand replays take the memory of a few.
   *
   * A page that is not current by then is read again.
   *
   * @param witness The witness of the entry at the offset, where it is known.
   */
  async load(query: PageQuery, after: number, witness?: number): Promise<SharedPage> {
    let joined = 0;
    for (;;) {
      const found = this.find(query, after);
      if (found !== undefined) return found;
      const loading = joined < 2 ? this.#findLoading(query.key, after) : undefined;
      if (loading !== undefined) {
        joined++;
        const page = await loading;
        // The page that this reader would read itself, so it takes it even where it is not kept for others.
        if (page.after === after && this.isCurrent(page)) return this.#use(page);
      } else if (this.#pagesInUse >= maxPagesInUse) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      } else {
        const page = await this.#load(query, after, witness);
        if (this.isCurrent(page)) return this.#use(page);
      }
    }
  }

  /** The caller has used a page as far as it can for now. */
  release(page: SharedPage): void {
    if (--page.users === 0) this.#endUse();
  }

  /**
   * Drops the pages that have not been used since the last call: after a replay, the memory is free again within two sweeps,
   * without a time stamp on each use.
   */
  sweep(): void {
    for (const page of this.#byUse.keys()) if (!this.#used.has(page)) this.#drop(page);
    this.#used.clear();
  }

  clear(): void {
    for (const page of this.#byUse.keys()) this.#drop(page);
    this.#used.clear();
  }

  // --- FeedObserver ---

  /** Pages may have entries of a channel that was cleared. */
  onEntry({ entry }: RingEntry): void {
    if (entry.type === clearType) this.onDiscontinuity();
  }

  /** No reader joins a read that is under way: its answer may be from before the break. */
  onDiscontinuity(): void {
    this.#breaks++;
    this.#loading.clear();
    this.clear();
  }

  #use(page: SharedPage): SharedPage {
    if (page.users++ === 0) this.#pagesInUse++;
    return page;
  }

  #endUse(): void {
    this.#pagesInUse--;
    this.#waiting.shift()?.();
  }

  /** A page that is being read and will probably have the entries after an offset. */
  #findLoading(key: string, after: number): Promise<SharedPage> | undefined {
    const loading = this.#loading.get(key);
    if (loading === undefined) return undefined;
    for (const [begin, page] of loading) if (after >= begin && after < begin + clientPage.limit) return page;
    return undefined;
  }

  async #load(query: PageQuery, after: number, witness: number | undefined): Promise<SharedPage> {
    const loading = this.#loading.get(query.key) ?? new Map<number, Promise<SharedPage>>();
    this.#loading.set(query.key, loading);
    this.#pagesInUse++;
    const read = this.#read(query, after, witness);
    loading.set(after, read);
    try {
      const page = await read;
      // A page from before a break may be of entries that the log has lost. Its reader finds out; it must not reach
      // others.
      const isOfThisLog = this.isCurrent(page) && page.epoch === this.#feed.ring.epoch;
      if (isOfThisLog && page.isVerified && page.through > after) this.#keep(query.key, page);
      return page;
    } finally {
      this.#endUse();
      loading.delete(after);
      if (loading.size === 0 && this.#loading.get(query.key) === loading) this.#loading.delete(query.key);
    }
  }

  async #read({ kind, selection, upTo }: PageQuery, after: number, witness?: number): Promise<SharedPage> {
    const { log } = this.#feed;
    const breaks = this.#breaks;
    if (kind === "values") {
      const values = log.latestByKey(selection, { after, upTo, maxBytes: clientPage.maxBytes });
      return new SharedPage(after, await this.#deadline.limit(values, "log.latestByKey()"), true, breaks);
    }
    const options = { ...clientPage, selection, conflate: kind === "conflated" };
    const page = await this.#deadline.limit(log.read(after, options), "log.read()");
    const isVerified = page.entries.length === 0 || (this.#continues(page, after, witness) ?? (await this.#confirm()));
    return new SharedPage(after, page, isVerified, breaks);
  }

  /**
   * Whether a page is known to be of the log that this process has delivered. Another one may have taken its place since the
   * reader's position was verified: its entries would take the client past those that it has missed.
   *
   * @returns `undefined` where the page itself does not tell.
   */
  #continues({ epoch, entries, floor }: Page, after: number, witness: number | undefined): boolean | undefined {
    const { ring } = this.#feed;
    // The reader notices another epoch.
    if (epoch !== ring.epoch) return true;
    // Three proofs that cost nothing. The log is asked only where none of them applies.
    if (witness !== undefined && entries[0]?.offset === after + 1) return entries[0].previousWitness === witness;
    if (witness !== undefined && floor.offset === after) return floor.witness === witness;
    const common = entries.findLast(({ offset }) => offset <= ring.top && ring.witnessAt(offset) !== undefined);
    return common && ring.witnessAt(common.offset) === common.witness;
  }

  #keep(key: string, page: SharedPage): void {
    const pages = this.#pages.get(key);
    if (pages === undefined) this.#pages.set(key, [page]);
    else pages.push(page);
    this.#byUse.set(page, key);
    this.#used.add(page);
    this.#bytes += page.bytes;
    for (const oldest of this.#byUse.keys()) {
      // The page that was just added stays, however large: readers that wait for it are about to look for it.
      if (this.#bytes <= maxCachedBytes || oldest === page) return;
      this.#drop(oldest);
    }
  }

  #drop(page: SharedPage): void {
    const key = this.#byUse.get(page) as string;
    const rest = this.#pages.get(key)?.filter((each) => each !== page) ?? [];
    if (rest.length === 0) this.#pages.delete(key);
    else this.#pages.set(key, rest);
    this.#byUse.delete(page);
    this.#bytes -= page.bytes;
  }
}

/** The kind of entries that a reader reads: with or without superseded ones, or the newest entry of each key. */
export interface PageQuery {
  readonly kind: "all" | "conflated" | "values";
  readonly selection: ChannelSelection;
  /** The last offset of values, `Infinity` of entries. */
  readonly upTo: number;
  /** The same for readers that can share pages. */
  readonly key: string;
}
