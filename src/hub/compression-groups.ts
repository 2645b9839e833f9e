// Which subscriptions of a hub have the same output.
import { CompressionGroup } from "../compression/group.ts";
import { resolveThreshold } from "../compression/options.ts";
import type { ChannelSelection } from "../log/log.ts";
import type { SubscribeOptions } from "./options.ts";
import { conflates, selectionKey } from "./selection.ts";

/** The groups of a hub: subscriptions of the same channels, with or without labels. A group exists while it has a stream. */
export class CompressionGroups {
  readonly #groups = new Map<string, CompressionGroup>();
  readonly #threshold: number | null;

  /** @param threshold Of subscriptions without an option of their own; `null` if they are not compressed. */
  constructor(threshold: number | null) {
    this.#threshold = threshold;
  }

  /** How to get the group of a subscription; `false` if it has none. */
  find(selection: ChannelSelection, options: SubscribeOptions): (() => CompressionGroup) | false {
    const { compress, label = false } = options;
    const threshold = compress === undefined ? this.#threshold : resolveThreshold(compress);
    // A filter or a sender makes the output that of one client, as it does for conflation.
    if (threshold === null || !conflates(options)) return false;
    return () => this.#get(`${threshold} ${label} ${selectionKey(selection)}`, threshold);
  }

  #get(key: string, threshold: number): CompressionGroup {
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const group = new CompressionGroup(threshold, () => void this.#groups.delete(key));
    this.#groups.set(key, group);
    return group;
  }
}
