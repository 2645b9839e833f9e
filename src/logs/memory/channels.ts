// All channels of a memory log, by name and in the order of their names.
import { isEmptySlot } from "../../log/cleared.ts";
import type { ChannelSelection, LogEntry } from "../../log/log.ts";
import { compileSelection } from "../../log/selection.ts";
import { type ChannelGroup, MemoryChannel } from "./channel.ts";
import { ChannelDirectory, note } from "./directory.ts";
import { EntryList } from "./entry-list.ts";

/** How many channels without entries are remembered, so that a quiet one reports no false gap. */
const maxRememberedChannels = 65_536;

/** The channels of a memory log, with what each of them has and has lost. */
export class MemoryChannels {
  /** The newest entry of each key that retention has taken from the sequence. */
  readonly kept: EntryList = new EntryList();
  // The map and the directory have the same channels: one finds them by name, the other by prefix.
  readonly #channels = new Map<string, MemoryChannel>();
  readonly #directory = new ChannelDirectory();
  /** Channels without entries, those that lost their last one most recently at the end. */
  readonly #empty = new Set<MemoryChannel>();
  /** The highest offset lost by a channel that is no longer remembered. */
  #forgotten = 0;

  /** @param floor Every entry of the log up to here was trimmed. */
  add(entry: LogEntry, floor: number): void {
    let channel = this.#channels.get(entry.channel);
    if (channel === undefined) {
      channel = new MemoryChannel(entry.channel, this.#forgotten);
      this.#channels.set(entry.channel, channel);
      this.#directory.add(channel);
    } else if (channel.isEmpty) this.#empty.delete(channel);
    const superseded = channel.add(entry);
    // Above the floor, the superseded entry is still part of the sequence, and is trimmed with it later.
    if (superseded !== undefined && superseded.offset <= floor) {
      channel.lose(superseded);
      this.kept.delete(superseded.offset);
    }
    note(channel.group as ChannelGroup, channel);
  }

  /** Forgets the entries of a channel, and returns them. The caller adds an entry to it in the same turn. */
  clear(name: string): LogEntry[] {
    const entries = this.#channels.get(name)?.clear() ?? [];
    for (const { offset } of entries) this.kept.delete(offset);
    return entries;
  }

  /** The log has trimmed this entry, the oldest one. */
  trim(entry: LogEntry): void {
    // An empty slot is of no channel: nothing more is lost with it.
    if (isEmptySlot(entry)) return;
    const channel = this.#channels.get(entry.channel) as MemoryChannel;
    if (channel.trim(entry)) this.kept.push(entry);
    note(channel.group as ChannelGroup, channel);
    if (!channel.isEmpty) return;
    this.#empty.add(channel);
    if (this.#empty.size > maxRememberedChannels) this.#forgetOldest();
  }

  get(name: string): MemoryChannel | undefined {
    return this.#channels.get(name);
  }

  /** Offset of the newest entry of a channel, or a higher one where it is no longer known. */
  last(name: string): number {
    return this.#channels.get(name)?.last ?? this.#forgotten;
  }

  /** For an entry of the log, retained or kept. Without a key, it never is. */
  isSuperseded(entry: LogEntry): boolean {
    return entry.key !== undefined && this.#channels.get(entry.channel)?.isSuperseded(entry) === true;
  }

  /** The highest offset that the selected channels have lost; entries with a key only count where `conflate` is false. */
  trimmed(selection: ChannelSelection, conflate: boolean): number {
    const lost = conflate ? "trimmed" : "gone";
    const { names, prefixes } = disjoint(selection);
    // A prefix may have had channels that are forgotten now, so their highest loss counts for each prefix.
    let trimmed = prefixes.length === 0 ? 0 : this.#forgotten;
    for (const name of names) trimmed = Math.max(trimmed, this.#channels.get(name)?.[lost] ?? this.#forgotten);
    if (prefixes.length === 0) return trimmed;
    const raise = (found: MemoryChannel | ChannelGroup) => {
      trimmed = Math.max(trimmed, found[lost]);
      return true;
    };
    // Groups that lost nothing later than what is known already are passed over; of a group within the prefix, its
    // maximum is enough.
    for (const prefix of prefixes) this.#directory.visit(prefix, (group) => group[lost] > trimmed, raise, raise);
    return trimmed;
  }

  /** Stops at the first channel with values. Groups without any are passed over whole. */
  hasValues(selection: ChannelSelection): boolean {
    const { names, prefixes } = disjoint(selection);
    for (const name of names) if ((this.#channels.get(name)?.values ?? null) !== null) return true;
    return prefixes.length > 0 && this.#hasValuesUnder(prefixes);
  }

  /** Visits each selected channel once, until `visit` returns false. Groups for which `passes` is false are left out. */
  visit(
    selection: ChannelSelection,
    passes: (group: ChannelGroup) => boolean,
    visit: (channel: MemoryChannel) => boolean,
  ): void {
    const { names, prefixes } = disjoint(selection);
    let isOver = false;
    const visitUnlessOver = (channel: MemoryChannel) => {
      isOver ||= !visit(channel);
      return !isOver;
    };
    for (const name of names) {
      const channel = this.#channels.get(name);
      if (channel !== undefined && !visitUnlessOver(channel)) return;
    }
    for (const prefix of prefixes) {
      if (!isOver) this.#directory.visit(prefix, passes, visitUnlessOver);
    }
  }

  /**
   * Forgets the channel that has been empty longest, and remembers its loss for all that are unknown: a client of such
   * a channel may be told a false gap, but a gap is never concealed. A `Set` keeps the order of insertion.
   */
  #hasValuesUnder(prefixes: readonly string[]): boolean {
    let found = false;
    const find = ({ values }: MemoryChannel) => {
      found ||= values !== null;
      return !found;
    };
    for (const prefix of prefixes) if (!found) this.#directory.visit(prefix, (group) => group.hasValues, find);
    return found;
  }

  #forgetOldest(): void {
    const [oldest] = this.#empty as Iterable<MemoryChannel>;
    if (oldest === undefined) return;
    this.#empty.delete(oldest);
    this.#channels.delete(oldest.name);
    this.#directory.delete(oldest);
    this.#forgotten = Math.max(this.#forgotten, oldest.gone);
  }
}

/** The same names, each of them once. */
export function distinct(names: readonly string[]): readonly string[] {
  return names.length < 2 ? names : [...new Set(names)];
}

/** The same selection with each channel in it once. */
function disjoint({ channels, prefixes }: ChannelSelection): { names: readonly string[]; prefixes: readonly string[] } {
  if (prefixes.length === 0) return { names: distinct(channels), prefixes };
  const shortest: string[] = [];
  // In sorted order, a prefix stands before all that it covers, so comparing with the last one that was taken is enough.
  for (const prefix of [...prefixes].sort()) {
    const last = shortest.at(-1);
    if (last === undefined || !prefix.startsWith(last)) shortest.push(prefix);
  }
  const isCovered = compileSelection({ channels: [], prefixes: shortest });
  return { names: [...new Set(channels)].filter((name) => !isCovered(name)), prefixes: shortest };
}
