// Which channels of a subscription have ended, as far as its client knows.
import type { ChannelSelection } from "../../log/log.ts";

/** The channels that have ended. Most never do, so a subscription has none of these until the first one does. */
export class EndedChannels {
  readonly #names = new Set<string>();

  add(channel: string): void {
    this.#names.add(channel);
  }

  /** Something was published on the channel after its end. */
  delete(channel: string): void {
    this.#names.delete(channel);
  }

  /** True when all channels of a selection have ended. Of a prefix that is never known. */
  hasAll({ channels, prefixes }: ChannelSelection): boolean {
    return prefixes.length === 0 && channels.every((name) => this.#names.has(name));
  }
}
