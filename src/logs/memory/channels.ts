import type { ChannelSelection, LogEntry } from "../../log/log.ts";
import { selects } from "../../log/selection.ts";
import { MemoryChannel } from "./channel.ts";

/** How many channels of which nothing is left are remembered, so that a quiet one reports no false gap. */
const maxRememberedChannels = 65_536;

/** A memory log's entries by channel. */
export class MemoryChannels {
  readonly #channels = new Map<string, MemoryChannel>();
  /** What was trimmed of channels of which nothing is left, those that were trimmed last at the end. */
  readonly #empty = new Map<string, number>();
  /** The highest offset trimmed of a channel of which nothing is known any more. */
  #forgotten = 0;

  add(entry: LogEntry, floor: number): void {
    let channel = this.#channels.get(entry.channel);
    if (channel === undefined) {
      channel = new MemoryChannel(this.#trimmedOf(entry.channel));
      this.#channels.set(entry.channel, channel);
      this.#empty.delete(entry.channel);
    }
    channel.add(entry, floor);
  }

  /** The log has trimmed this entry. */
  trim(entry: LogEntry): void {
    const channel = this.#channels.get(entry.channel) as MemoryChannel;
    channel.trim(entry);
    if (!channel.isEmpty) return;
    this.#channels.delete(entry.channel);
    this.#empty.set(entry.channel, channel.trimmed);
    if (this.#empty.size > maxRememberedChannels) this.#forgetOldest();
  }

  /** Offset of the newest entry of a channel, or one above it where that is no longer known. */
  last(name: string): number {
    return this.#channels.get(name)?.last ?? this.#trimmedOf(name);
  }

  /** The highest offset trimmed of the selected channels. */
  trimmed({ channels, prefixes }: ChannelSelection): number {
    let trimmed = prefixes.length === 0 ? 0 : this.#forgotten;
    for (const name of channels) trimmed = Math.max(trimmed, this.#trimmedOf(name));
    if (prefixes.length === 0) return trimmed;
    const selection = { channels: [], prefixes };
    for (const [name, channel] of this.#channels) {
      if (channel.trimmed > trimmed && selects(selection, name)) trimmed = channel.trimmed;
    }
    for (const [name, offset] of this.#empty) {
      if (offset > trimmed && selects(selection, name)) trimmed = offset;
    }
    return trimmed;
  }

  selected(selection: ChannelSelection | undefined): MemoryChannel[] {
    if (selection === undefined) return [...this.#channels.values()];
    if (selection.prefixes.length === 0) {
      return [...new Set(selection.channels)].flatMap((name) => this.#channels.get(name) ?? []);
    }
    return [...this.#channels].flatMap(([name, channel]) => (selects(selection, name) ? channel : []));
  }

  #trimmedOf(name: string): number {
    return this.#channels.get(name)?.trimmed ?? this.#empty.get(name) ?? this.#forgotten;
  }

  #forgetOldest(): void {
    const [name, offset] = this.#empty.entries().next().value as [string, number];
    this.#empty.delete(name);
    this.#forgotten = Math.max(this.#forgotten, offset);
  }
}
