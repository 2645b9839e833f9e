// One channel of a memory log: its entries by how they can still be read, and the offsets that it has lost.
import type { LogEntry } from "../../log/log.ts";
import { EntryList } from "./entry-list.ts";

/**
 * A channel is in the directory as long as the log knows something about it. Without entries, it only knows what the
 * channel has lost.
 */
export class MemoryChannel {
  readonly name: string;
  /** Its neighbors in the directory. */
  group: ChannelGroup | null = null;
  /** Retained entries, superseded ones too. */
  all: EntryList = none;
  /** Retained entries without a key: the same list, as long as no entry had a key. */
  plain: EntryList = none;
  /** The newest entry of each key, retained or kept; `null` as long as no entry had a key. */
  values: EntryList | null = null;
  /** Offset of the newest entry, retained or not; a higher one where that is no longer known. */
  last: number;
  /** Highest offset of an entry without a key that was trimmed. */
  trimmed: number;
  /** Highest offset of any entry that is gone, superseded ones too. */
  gone: number;
  #newest: Map<string, LogEntry> | null = null;

  /** @param lost Entries up to this offset may have been lost. */
  constructor(name: string, lost: number) {
    this.name = name;
    this.last = lost;
    this.trimmed = lost;
    this.gone = lost;
  }

  /** True when the channel has nothing to read. MemoryChannels still remembers its losses, within a bound. */
  get isEmpty(): boolean {
    return this.all.length === 0 && this.values === null;
  }

  isSuperseded(entry: LogEntry): boolean {
    return entry.key !== undefined && this.#newest?.get(entry.key) !== entry;
  }

  /**
   * Adds the newest entry of the log. Returns the one that it supersedes, which may be retained or only kept: the
   * caller knows the floor, and removes it from the kept ones.
   */
  add(entry: LogEntry): LogEntry | undefined {
    if (this.all === none) {
      this.all = new EntryList();
      this.plain = this.values === null ? this.all : new EntryList();
    }
    this.last = entry.offset;
    if (entry.key === undefined) {
      this.all.push(entry);
      if (this.plain !== this.all) this.plain.push(entry);
      return undefined;
    }
    // The first key of the channel: `plain` can no longer be the same list as `all`. This copies the channel once.
    if (this.#newest === null || this.values === null) {
      this.#newest = new Map();
      this.values = new EntryList();
      this.plain = this.all.copy();
    }
    this.all.push(entry);
    const previous = this.#newest.get(entry.key);
    this.#newest.set(entry.key, entry);
    // The superseded entry stays in `all` while it is retained, for readers that do not conflate.
    if (previous !== undefined) this.values.delete(previous.offset);
    this.values.push(entry);
    return previous;
  }

  /** The log has trimmed this entry, the oldest one. Returns true when the entry is kept, as the newest of its key. */
  trim(entry: LogEntry): boolean {
    const { offset } = entry;
    this.all.delete(offset);
    if (entry.key !== undefined && !this.isSuperseded(entry)) return true;
    this.gone = offset;
    if (entry.key !== undefined) return false;
    this.trimmed = offset;
    if (this.plain !== this.all) this.plain.delete(offset);
    // Up to 65,536 channels without entries are remembered. They share one list, which must never be written to.
    if (this.isEmpty) this.all = this.plain = none;
    return false;
  }

  /**
   * An entry that was kept as the newest of its key is superseded now. It is older than the floor, and perhaps than
   * other losses of the channel.
   */
  lose(entry: LogEntry): void {
    this.gone = Math.max(this.gone, entry.offset);
  }

  /** Forgets all entries, those that are kept as values too, and returns them. Its losses stay known. */
  clear(): LogEntry[] {
    const entries = [...this.all, ...(this.values ?? [])];
    this.all = this.plain = none;
    this.values = null;
    this.#newest = null;
    return entries;
  }

  /** Entries in (after, upTo] that a newer one supersedes. */
  countSuperseded(after: number, upTo: number): number {
    // The floor MUST NOT be above `after`: below it, `values` has entries that `all` has lost. Above it, each entry of
    // `all` is plain, the newest of its key, or superseded, so counts are enough: a resume over 300,000 superseded
    // entries takes 0.01 ms.
    if (this.values === null) return 0;
    return this.all.count(after, upTo) - this.plain.count(after, upTo) - this.values.count(after, upTo);
  }
}

/** Neighbors in the directory, with the highest of what they have: a question may pass over the whole group. */
export interface ChannelGroup {
  channels: MemoryChannel[];
  /** Highest {@link MemoryChannel.last}. */
  last: number;
  /** Highest {@link MemoryChannel.trimmed}. */
  trimmed: number;
  /** Highest {@link MemoryChannel.gone}. */
  gone: number;
  /** Some of them have values. */
  hasValues: boolean;
}

/** The list of a channel without entries. */
const none = new EntryList();
