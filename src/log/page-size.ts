// How much of a log is read at once.

/** A page for a client: a socket takes a fraction of it at once, and a reader that stops has little in memory. */
export const clientPage: PageSize = { limit: 512, maxBytes: 256 * 1024 };

/** A page that this process itself reads to its end at once: the fewer questions, the better. */
export const internalPage: PageSize = { limit: 1_000, maxBytes: 1024 ** 2 };

/** Bounds of a page, as `Log.read` takes them. */
interface PageSize {
  readonly limit: number;
  readonly maxBytes: number;
}
