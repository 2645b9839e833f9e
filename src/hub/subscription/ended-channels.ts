// Which channels of a subscription have ended, as far as its client knows.
import type { ChannelSelection } from "../../log/log.ts";

/** Most channels never end, so there is no set until the first one does. */
export class EndedChannels {
  #names: Set<string> | null = null;

  add(channel: string): void {
    this.#names ??= new Set();
    this.#names.add(channel);
  }

  /** Something was published on the channel after its end. */
  delete(channel: string): void {
    this.#names?.delete(channel);
  }

  /** True when all channels of a selection have ended. Of a prefix that is never known. */
  hasAll({ channels, prefixes }: ChannelSelection): boolean {
    return this.#names !== null && prefixes.length === 0 && channels.every((name) => this.#names?.has(name));
  }
}
