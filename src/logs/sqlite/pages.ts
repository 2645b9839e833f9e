// Finds which entries a page has, bounded by entries and bytes, before any of their data is read.
import type { ChannelSelection } from "../../log/log.ts";
import { type ChannelMatcher, compileSelection } from "../../log/selection.ts";
import { ChannelNames } from "./channels.ts";
import type { SqlConnection, Statement } from "./connection.ts";

/** Up to this many channels are read one by one, whatever else is in the log. */
const fewChannels = 32;
/** Of more, the log is scanned, and the selected entries are picked out, this many of them in one step. */
const scannedAtATime = 1_024;
/** And so many for a page. */
const scannedPerPage = 4_096;
/** A scan that finds less than this share of a page with its first entries is given up, unless there are too many channels. */
const worthwhileShare = 0.25;
/** Up to this many channels are read one by one in place of a scan. */
const maxMergedChannels = 1_000;

/** The bounds of a page: offsets in (after, upTo], how many, and how heavy. */
export interface PageBounds {
  readonly after: number;
  readonly upTo: number;
  readonly limit: number;
  readonly maxBytes: number;
}

/** The entries of a page. */
export interface FoundPage {
  /** Ascending. */
  readonly offsets: readonly number[];
  /** Where the next page begins; `upTo` at the end. */
  readonly through: number;
  /** The channels that were read one by one, `undefined` where the entries were scanned. */
  readonly names: readonly string[] | undefined;
  /** Superseded entries that a scan left out up to `through`. */
  readonly superseded: number;
}

/** Where pages of a kind are found. */
export interface PageSource {
  /** Which entries count at all, for a partial index. */
  readonly condition?: string;
  /** For each: offset and weight of the entries of a channel, in (?, ?) and ascending, up to a number. */
  readonly ofChannel: readonly string[];
  /** Offset, weight, channel and `skipped`, a truth value, of the entries in (?, ?], ascending, up to a number. */
  readonly scan: string;
}

/** Pages of one kind of entries. */
/**
 * Chooses between two ways to find a page: reading each channel by its index costs per channel, scanning the log costs
 * per entry between the selected ones. Neither is bounded in all logs: a prefix may have a million channels, and a
 * channel may have its next entry a million entries away. So the number of channels limits the first, and the number
 * of scanned entries the second.
 */
export class PageFinder {
  readonly #names: ChannelNames;
  readonly #ofChannel: readonly Statement<Candidate>[];
  readonly #scan: Statement<ScannedRow>;

  constructor(connection: SqlConnection, { condition, ofChannel, scan }: PageSource) {
    this.#names = new ChannelNames(connection, condition);
    this.#ofChannel = ofChannel.map((sql) => connection.prepare(sql));
    this.#scan = connection.prepare(scan);
  }

  find(bounds: PageBounds, selection?: ChannelSelection): FoundPage {
    const few = selection && this.#names.find(selection, fewChannels);
    if (few !== undefined) return this.#merge(bounds, few);
    const scan = new Scan(this.#scan, bounds, selection);
    scan.go(scannedAtATime);
    if (selection !== undefined && !scan.isDone && scan.page.offsets.length < bounds.limit * worthwhileShare) {
      const names = this.#names.find(selection, maxMergedChannels);
      if (names !== undefined) return this.#merge(bounds, names);
    }
    // A page may end here without an entry: `through` has advanced, as the contract demands, and the caller reads on.
    while (!scan.isDone && scan.scanned < scannedPerPage) scan.go(scannedAtATime);
    return { offsets: scan.page.offsets, through: scan.through, names: undefined, superseded: scan.superseded };
  }

  /** Reads each channel by an index, no further than the page goes that was found in the others. */
  #merge({ after, upTo, limit, maxBytes }: PageBounds, names: readonly string[]): FoundPage {
    let found: Candidate[] = [];
    for (const name of names) {
      for (const statement of this.#ofChannel) {
        // Past the last candidate of a full page, no entry of another channel can have a place.
        const end = found.length < limit ? upTo + 1 : Number(found[limit - 1]?.offset);
        const rows = statement.all(name, after, end, limit);
        if (rows.length > 0) found = found.length === 0 ? rows : [...found, ...rows].sort(byOffset).slice(0, limit);
      }
    }
    const page = new PageFill(limit, maxBytes);
    // The page ends at its last entry when the bytes or the entries ran out, since there may be more right after it.
    const isCut = found.some(({ offset, weight }) => !page.add(Number(offset), Number(weight)));
    const isFull = isCut || found.length === limit;
    return { offsets: page.offsets, through: isFull ? (page.offsets.at(-1) as number) : upTo, names, superseded: 0 };
  }
}

/** Looks at entries of all channels, in their order. */
class Scan {
  readonly page: PageFill;
  through: number;
  superseded = 0;
  scanned = 0;
  /** The page is full, or nothing is left. */
  isDone = false;
  readonly #rows: Statement<ScannedRow>;
  readonly #upTo: number;
  readonly #isSelected: ChannelMatcher;

  constructor(rows: Statement<ScannedRow>, bounds: PageBounds, selection: ChannelSelection | undefined) {
    this.#rows = rows;
    this.#upTo = bounds.upTo;
    this.#isSelected = compileSelection(selection);
    this.page = new PageFill(bounds.limit, bounds.maxBytes);
    this.through = bounds.after;
  }

  /**
   * `through` stays before an entry that has no place, so the next page begins with that one. At the end it rises to
   * `upTo`, past entries that are gone, so that a reader does not ask for them again.
   */
  go(count: number): void {
    const rows = this.#rows.all(this.through, this.#upTo, count);
    this.scanned += rows.length;
    for (const { offset, weight, channel, skipped } of rows) {
      if (this.#isSelected(channel)) {
        if (Number(skipped) === 1) this.superseded++;
        else this.isDone = !this.page.add(Number(offset), Number(weight));
      }
      if (this.isDone) return;
      this.through = Number(offset);
      this.isDone = this.page.isFull;
    }
    if (this.isDone || rows.length === count) return;
    this.isDone = true;
    this.through = this.#upTo;
  }
}

/** Fills one page. The first entry has a place however large it is. */
class PageFill {
  readonly offsets: number[] = [];
  readonly #limit: number;
  #bytesLeft: number;

  constructor(limit: number, maxBytes: number) {
    this.#limit = limit;
    this.#bytesLeft = maxBytes;
  }

  get isFull(): boolean {
    return this.offsets.length === this.#limit;
  }

  /** False when the entry has no place. */
  add(offset: number, weight: number): boolean {
    // `maxBytes` holds before anything is read: weights are columns of their own, so a page too large is never loaded.
    this.#bytesLeft -= weight;
    const fits = this.offsets.length === 0 || (this.offsets.length < this.#limit && this.#bytesLeft >= 0);
    if (fits) this.offsets.push(offset);
    return fits;
  }
}

interface Candidate {
  readonly offset: number;
  readonly weight: number;
}

interface ScannedRow extends Candidate {
  readonly channel: string;
  readonly skipped: number;
}

function byOffset(a: Candidate, b: Candidate): number {
  return Number(a.offset) - Number(b.offset);
}
