// One reader's way through the pages of the log.
import type { PageCache, PageQuery } from "./page-cache.ts";
import type { SharedPage } from "./shared-page.ts";

/**
 * Holds the page that the reader is reading, until it has to wait for its client. It holds one page at most, and gives it up
 * before it waits for another one: readers that held a page while they queue for the next could block one another for good.
 */
export class PageReader {
  readonly #cache: PageCache;
  readonly #query: PageQuery;
  #page: SharedPage | null = null;

  constructor(cache: PageCache, query: PageQuery) {
    this.#cache = cache;
    this.#query = query;
  }

  /** The page with the entries after an offset; `undefined` when it has to be loaded. */
  at(offset: number): SharedPage | undefined {
    if (this.#page?.covers(offset) && this.#cache.isCurrent(this.#page)) return this.#page;
    this.release();
    this.#page = this.#cache.find(this.#query, offset) ?? null;
    return this.#page ?? undefined;
  }

  /**
   * Loads the page after an offset.
   *
   * @param witness The witness of the entry at the offset, where it is known.
   */
  async load(offset: number, witness?: number): Promise<SharedPage> {
    this.release();
    this.#page = await this.#cache.load(this.#query, offset, witness);
    return this.#page;
  }

  release(): void {
    if (this.#page !== null) this.#cache.release(this.#page);
    this.#page = null;
  }
}
