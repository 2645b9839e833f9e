// Shared pages of the stream: each part is read once for all readers, whatever channels they follow.
import type { Head, LogEntry } from "../../log/log.ts";
import type { JetStream } from "./jetstream.ts";
import { type RawMessage, type StoredMessage, toEntry, toStored } from "./message.ts";
import type { Incarnation } from "./streams.ts";

/** Entries of a page. */
const pageEntries = 256;
/** Most bytes that one request returns. */
const requestBytes = 1024 ** 2;
/** Most bytes of all pages that are kept. */
const cacheBytes = 32 * 1024 ** 2;

/**
 * The pages that readers want most: of 10,000 clients that reconnect, most were away for the same entries. A page is read
 * as far as it is asked for, and read on when it is asked for more.
 *
 * Entries do not change, except when the server loses the newest ones and others take their places. The log clears the
 * cache then, and after each lost connection.
 *
 * Pages have fixed borders, multiples of 256, so that readers which begin anywhere share them. The page at the head is
 * read on as the log grows, and is never complete until the next one begins.
 */
export class PageCache {
  readonly #jetStream: JetStream;
  readonly #stream: string;
  /** The page that was asked for last comes last. */
  readonly #pages = new Map<number, EntryPage>();
  /** The incarnation that the pages are of. */
  #epoch = "";
  /** Bytes of all pages, approximately. */
  #size = 0;

  constructor(jetStream: JetStream, stream: string) {
    this.#jetStream = jetStream;
    this.#stream = stream;
  }

  /**
   * Entries that follow one another, the first ones after an offset that is not below the floor; at least one, unless the
   * offset is the head. They begin later where the stream does not have the next one any longer.
   */
  async after(offset: number, { incarnation, head }: PageState): Promise<readonly LogEntry[]> {
    if (offset >= head.top) return [];
    for (;;) {
      const page = this.#page(offset, incarnation);
      const [before, size] = [page.last, page.size];
      if (before <= offset) await page.extend(head);
      // The log lost entries that were read before.
      if (page.isStale) {
        this.clear();
        continue;
      }
      // It may have been evicted while it was read.
      if (this.#pages.get(page.number) === page) this.#size += page.size - size;
      this.#evict(page);
      const entries = page
        .after(offset)
        .filter((entry) => entry.offset > head.floor.offset && entry.offset <= head.top);
      // An extended page may still lack the entry: one request has a bounded size.
      if (entries.length > 0 || page.last === before) return entries;
    }
  }

  /** The witness at an offset between the floor and the head, `undefined` when it is gone. */
  async witnessAt(offset: number, state: PageState): Promise<number | undefined> {
    const { head } = state;
    if (offset === head.top) return head.witness;
    if (offset === head.floor.offset) return head.floor.witness;
    if (offset > head.top || offset < head.floor.offset) return undefined;
    const [next] = await this.after(offset, state);
    return next?.offset === offset + 1 ? next.previousWitness : undefined;
  }

  /** The log was cut or replaced, or the connection was lost. */
  clear(): void {
    this.#pages.clear();
    this.#size = 0;
  }

  /** Asked for last, evicted last. */
  #page(offset: number, incarnation: Incarnation): EntryPage {
    if (incarnation.epoch !== this.#epoch) this.clear();
    this.#epoch = incarnation.epoch;
    const number = Math.floor(offset / pageEntries);
    const page = this.#pages.get(number) ?? new EntryPage(number, this.#jetStream, this.#stream, incarnation);
    // A `Map` keeps the order of insertion: the page moves to the end.
    this.#pages.delete(number);
    this.#pages.set(number, page);
    return page;
  }

  /** The page that is being read stays, however large it is. */
  #evict(current: EntryPage): void {
    for (const [number, page] of this.#pages) {
      if (this.#size <= cacheBytes || page === current) return;
      this.#pages.delete(number);
      this.#size -= page.size;
    }
  }
}

/** The state of the log in which pages are read. */
export interface PageState {
  readonly incarnation: Incarnation;
  readonly head: Head;
}

/** The entries number * 256 + 1 to (number + 1) * 256, as far as the stream has them and they were read. */
class EntryPage {
  readonly number: number;
  /** Bytes that it takes, approximately. */
  size = 0;
  /** The stream has other entries now. */
  isStale = false;
  readonly #jetStream: JetStream;
  readonly #stream: string;
  readonly #incarnation: Incarnation;
  readonly #entries: LogEntry[] = [];
  /** The request under way, which other readers of the page join. */
  #extending: Promise<void> | null = null;

  constructor(number: number, jetStream: JetStream, stream: string, incarnation: Incarnation) {
    this.number = number;
    this.#jetStream = jetStream;
    this.#stream = stream;
    this.#incarnation = incarnation;
  }

  /** The offset up to which it was read. */
  get last(): number {
    return this.#entries.at(-1)?.offset ?? this.number * pageEntries;
  }

  /** Ascending. */
  after(offset: number): readonly LogEntry[] {
    const first = this.#entries[0]?.offset ?? 0;
    return this.#entries.slice(Math.max(0, offset + 1 - first));
  }

  /** Reads on. Several callers share one request. */
  extend(head: Head): Promise<void> {
    this.#extending ??= this.#extend(head).finally(() => {
      this.#extending = null;
    });
    return this.#extending;
  }

  /** The first entry must follow the last one that is there: otherwise the log has lost what was read. */
  async #extend(head: Head): Promise<void> {
    const last = this.#entries.at(-1);
    const end = (this.number + 1) * pageEntries;
    // Entries before the floor were removed. It never goes back, so no reader will ask for them.
    const from = Math.max(this.last, head.floor.offset);
    const source = { jetStream: this.#jetStream, stream: this.#stream, incarnation: this.#incarnation };
    const entries = await readEntries(source, from, end - from, head);
    const [first] = entries;
    if (first === undefined || first.offset > end) return;
    if (last !== undefined && (first.offset !== last.offset + 1 || first.previousWitness !== last.witness)) {
      this.isStale = true;
      return;
    }
    for (const entry of entries) {
      if (entry.offset > end) return;
      this.#entries.push(entry);
      // Strings take two bytes for each unit at most, and the fields some two hundred.
      this.size += entry.data.length * 2 + 200;
    }
  }
}

/** Where entries are read from. */
export interface EntrySource {
  readonly jetStream: JetStream;
  readonly stream: string;
  readonly incarnation: Incarnation;
}

/**
 * Up to `count` entries after an offset, fewer where they are large. They begin later where the stream does not have the
 * next one any longer.
 */
export async function readEntries(source: EntrySource, after: number, count: number, head: Head): Promise<LogEntry[]> {
  const { jetStream, stream } = source;
  // The message before the first entry has its `previousWitness`. Before the very first one there is none.
  const seq = Math.max(1, after);
  // One more for the message before.
  const batch = after === 0 ? count : count + 1;
  const found = await jetStream.direct(stream, { seq, batch, max_bytes: requestBytes });
  const entries = chain(source, after, found);
  if (entries.length > 0 || after >= head.top) return entries;
  // A large message before them took the whole request, or a server that lags has answered.
  const pair = await Promise.all([seq, after + 1].map((sequence) => jetStream.get(stream, { seq: sequence })));
  return chain(
    source,
    after,
    pair.filter((message) => message !== undefined),
  );
}

/** A message without its predecessor is not an entry yet: its `previousWitness` is not known. */
function chain({ incarnation }: EntrySource, after: number, messages: readonly RawMessage[]): LogEntry[] {
  const { subjects, originWitness } = incarnation;
  const entries: LogEntry[] = [];
  let previous: StoredMessage | undefined;
  for (const raw of messages) {
    const message = toStored(raw, subjects);
    if (message.offset > after) {
      if (message.offset === 1) entries.push(toEntry(message, originWitness));
      else if (previous?.offset === message.offset - 1) entries.push(toEntry(message, previous.witness));
    }
    previous = message;
  }
  return entries;
}
