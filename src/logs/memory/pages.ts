// Pages of a memory log. Few channels are read list by list; of many, the log itself is read and they are picked out.
import type { ChannelSelection, LogEntry, Page, ReadOptions, ValueOptions, ValuePage } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { compileSelection } from "../../log/selection.ts";
import type { ChannelGroup, MemoryChannel } from "./channel.ts";
import type { MemoryChannels } from "./channels.ts";
import type { EntryCursor } from "./entry-list.ts";
import { MergedEntries } from "./merge.ts";
import type { EntryRing } from "./ring.ts";

/** Up to this many channels are read list by list. */
const maxMergedChannels = 1_024;
/** Entries that one page passes over where channels are picked out, which takes some 0.5 ms. */
const scanEntries = 4_096;

/** From this many channels on, a page is first sought in the log itself, among so many entries. */
const minDenseChannels = 64;
const denseScanEntries = 1_024;

/** Entries that are searched for the last ones of a prefix, before its channels are. */
const recentEntries = 1_024;

type Found = Pick<Page, "entries" | "through" | "conflated">;

/** Answers questions about the entries of a memory log. Each answer is of one state. */
export class PageReader {
  readonly #ring: EntryRing;
  readonly #channels: MemoryChannels;

  constructor(ring: EntryRing, channels: MemoryChannels) {
    this.#ring = ring;
    this.#channels = channels;
  }

  /**
   * Merges the lists of the channels where that is less work than a scan. Both ways account for the same entries:
   * through the offset that they return, an entry is on the page, or it is counted as conflated, or it is trimmed.
   */
  read(after: number, { limit, maxBytes, selection, conflate }: ReadOptions): Found {
    const bounds = new PageBounds(limit, maxBytes);
    const channels = selection && this.#few(selection, after);
    if (channels === undefined) return this.#scan(after, bounds, selection, conflate);
    // Where most of the log is selected, reading it costs a fifth of merging a thousand lists, and makes no cursors.
    if (channels.length >= minDenseChannels) {
      const dense = this.#scan(after, new PageBounds(limit, maxBytes), selection, conflate, denseScanEntries);
      if (dense.entries.length * 2 >= Math.min(limit, denseScanEntries) || dense.through >= this.#ring.top)
        return dense;
    }
    const { floor, top } = this.#ring;
    // The lists change with the next append. Cursors are valid until then: the page is filled within this turn.
    const cursors = channels.flatMap((channel) => cursorsOf(channel, after, floor.offset, conflate));
    const through = bounds.fill(new MergedEntries(cursors)) ?? Math.max(after, top);
    let conflated = 0;
    if (conflate) {
      for (const channel of channels) conflated += channel.countSuperseded(Math.max(after, floor.offset), through);
    }
    return { entries: bounds.entries, through, conflated };
  }

  /** Bounded by bytes alone, as the contract has it. Entries that retention took from the sequence are in `values` too. */
  values(selection: ChannelSelection, { after, upTo, maxBytes }: ValueOptions): Omit<ValuePage, "epoch"> {
    const bounds = new PageBounds(Number.POSITIVE_INFINITY, maxBytes);
    const channels = this.#few(selection, after, (group) => group.hasValues);
    if (channels === undefined) return this.#scanValues(after, upTo, bounds, selection);
    const cursors = channels.flatMap(({ values }) => values?.after(after) ?? []);
    const through = bounds.fill(new MergedEntries(cursors), upTo) ?? upTo;
    return { entries: bounds.entries, through };
  }

  /**
   * The last entries are in `plain` or in `values`, since superseded ones do not count. Reads at most `count` entries
   * of each list, and skips channels whose newest entry is older than `count` entries that it has found.
   */
  last(count: number, selection: ChannelSelection): LogEntry[] {
    let found: LogEntry[] = [];
    /** Only newer entries can still be among the last. */
    let least = 0;
    const collect = (entry: LogEntry) => {
      if (entry.offset <= least) return false;
      found.push(entry);
      // Sorting only when twice as many have come together makes the cost of each candidate logarithmic in `count`.
      if (found.length >= 2 * count) shorten();
      return true;
    };
    const shorten = () => {
      found = found.sort(byOffset).slice(-count);
      least = found[0]?.offset ?? 0;
    };
    if (count <= 0) return [];
    const recent = selection.prefixes.length === 0 ? [] : this.#lastRecent(count, selection);
    if (recent.length === count) return recent;
    const isNewer = ({ last }: ChannelGroup | MemoryChannel) => last > least;
    this.#channels.visit(selection, isNewer, (channel) => {
      if (!isNewer(channel)) return true;
      let [plain, values] = [count, count];
      channel.plain.visitBackwards((entry) => plain-- > 0 && collect(entry));
      channel.values?.visitBackwards((entry) => values-- > 0 && collect(entry));
      return true;
    });
    return found.sort(byOffset).slice(-count);
  }

  /**
   * The same, as far as the newest entries of the log include them: the last entries of many channels are usually
   * there.
   */
  #lastRecent(count: number, selection: ChannelSelection): LogEntry[] {
    const matches = compileSelection(selection);
    const found: LogEntry[] = [];
    const { floor, top } = this.#ring;
    const end = Math.max(floor.offset, top - recentEntries);
    for (let offset = top; offset > end && found.length < count; offset--) {
      const entry = this.#ring.at(offset) as LogEntry;
      if (matches(entry.channel) && !this.#channels.isSuperseded(entry)) found.push(entry);
    }
    return found.reverse();
  }

  /** The selected channels with entries after an offset, `undefined` when they are too many to be read list by list. */
  #few(
    selection: ChannelSelection,
    after: number,
    passes: (group: ChannelGroup) => boolean = () => true,
  ): MemoryChannel[] | undefined {
    const channels: MemoryChannel[] = [];
    // Where less is left of the log than there are channels, it is read itself.
    const { offset: floor } = this.#ring.floor;
    const left = this.#ring.top - Math.max(after, floor) + this.#channels.kept.count(after, floor);
    const most = Math.min(maxMergedChannels, Math.max(8, left));
    let isTooMany = false;
    this.#channels.visit(
      selection,
      (group) => group.last > after && passes(group),
      (channel) => {
        if (channel.last > after) channels.push(channel);
        isTooMany = channels.length > most;
        return !isTooMany;
      },
    );
    return isTooMany ? undefined : channels;
  }

  /**
   * Picks the selected entries out of the log, as far as one page may look: it may end without an entry, but not
   * without progress.
   */
  #scan(
    after: number,
    bounds: PageBounds,
    selection: ChannelSelection | undefined,
    conflate: boolean,
    most: number = scanEntries,
  ): Found {
    const matches = compileSelection(selection);
    let conflated = 0;
    const through = this.#look(
      after,
      (entry) => {
        if (!matches(entry.channel)) return true;
        if (!conflate || !this.#channels.isSuperseded(entry)) return bounds.add(entry);
        conflated++;
        return true;
      },
      most,
    );
    return { entries: bounds.entries, through: through ?? Math.max(after, this.#ring.top), conflated };
  }

  /** The same for values: through the kept entries below the floor, then the log. `through` never exceeds `upTo`. */
  #scanValues(after: number, upTo: number, bounds: PageBounds, selection: ChannelSelection): Omit<ValuePage, "epoch"> {
    const matches = compileSelection(selection);
    let isPast = false;
    const through = this.#look(after, (entry) => {
      isPast = entry.offset > upTo;
      const isValue =
        entry.key !== undefined && !isPast && matches(entry.channel) && !this.#channels.isSuperseded(entry);
      return isValue ? bounds.add(entry) : !isPast;
    });
    return { entries: bounds.entries, through: isPast ? upTo : Math.min(upTo, through ?? upTo) };
  }

  /**
   * Shows the kept and the retained entries after an offset to `take`, until it returns false. Returns the offset up to
   * which it took them, `undefined` for all.
   *
   * @param most The number of entries that it shows at most.
   */
  #look(after: number, take: (entry: LogEntry) => boolean, most: number = scanEntries): number | undefined {
    const { offset: floor } = this.#ring.floor;
    let left = most;
    let last = after;
    const show = (entry: LogEntry) => {
      if (left-- === 0 || !take(entry)) return false;
      last = entry.offset;
      return true;
    };
    // All kept entries are at or below the floor, so the two parts follow each other in the order of the offsets.
    const kept = this.#channels.kept.after(after);
    for (; kept.current !== undefined; kept.advance()) if (!show(kept.current)) return last;
    for (let offset = Math.max(after, floor) + 1; offset <= this.#ring.top; offset++) {
      if (!show(this.#ring.at(offset) as LogEntry)) return last;
    }
    return undefined;
  }
}

/** The entries of a page, as many as it may have. */
class PageBounds {
  // Both bounds are checked before an entry is added, so that a page that is full stays within `maxBytes`.
  readonly entries: LogEntry[] = [];
  readonly #limit: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(limit: number, maxBytes: number) {
    this.#limit = limit;
    this.#maxBytes = maxBytes;
  }

  /** Adds an entry. False when there is no room for it; the first one is always added. */
  add(entry: LogEntry): boolean {
    this.#bytes += weightOf(entry);
    if (this.entries.length > 0 && (this.entries.length >= this.#limit || this.#bytes > this.#maxBytes)) return false;
    this.entries.push(entry);
    return true;
  }

  /**
   * Adds entries up to an offset. Returns the last one's offset when there is no room for another, else `undefined`:
   * then the lists have nothing more, and the caller may answer with the end of its range as `through`.
   */
  fill(merged: MergedEntries, upTo = Number.POSITIVE_INFINITY): number | undefined {
    for (let { next } = merged; next !== undefined && next.offset <= upTo; { next } = merged) {
      if (!this.add(next)) return this.entries.at(-1)?.offset;
      merged.advance();
    }
    return undefined;
  }
}

/**
 * The lists of a channel that a reader gets, which never have an entry in common: what is plain has no key, what is a
 * value has one. Without `conflate`, values are taken up to the floor alone, since `all` has the retained ones. Below
 * the floor there is only the newest entry of each key, whatever the reader asks for.
 */
function cursorsOf(channel: MemoryChannel, after: number, floor: number, conflate: boolean): EntryCursor[] {
  if (channel.values === null) return [channel.plain.after(after)];
  if (conflate) return [channel.plain.after(after), channel.values.after(after)];
  return [channel.all.after(after), channel.values.after(after).upTo(floor)];
}

/** In the order of the log: lists of different channels were collected one after the other. */
function byOffset(a: LogEntry, b: LogEntry): number {
  return a.offset - b.offset;
}
