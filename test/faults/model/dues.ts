import { parseSelection } from "../../../src/hub/selection.ts";
import type { ChannelSelection } from "../../../src/log/log.ts";
import { selects } from "../../../src/log/selection.ts";
import type { ClientPlan } from "./history.ts";
import type { Accepted } from "./record.ts";
import type { Rights } from "./rights.ts";

/** The events that one client must get, and those that it must not. */
export class Dues {
  readonly selection: ChannelSelection;
  readonly #plan: ClientPlan;
  readonly #rights: Rights;

  constructor(plan: ClientPlan, rights: Rights) {
    this.#plan = plan;
    this.#rights = rights;
    this.selection = parseSelection(plan.channels);
  }

  get isLabeled(): boolean {
    return this.#plan.label === true;
  }

  get isReader(): boolean {
    return this.#plan.reader === true;
  }

  selects(channel: string): boolean {
    return selects(this.selection, channel);
  }

  /** A channel that the client may not read is rejected on its own, where events carry the names of their channels. */
  isRejected(channel: string): boolean {
    return this.isLabeled && !this.#rights.allows(this.#plan.key, channel);
  }

  /** True for an entry that is neither for others, nor left out, nor out of date. */
  isOwed(entry: Accepted): boolean {
    const isOutOfDate = entry.superseded && this.#conflates;
    return this.#isFor(entry) && !isOutOfDate && this.#rights.of(this.#plan.key, entry) === "always";
  }

  /** True for an entry that leaves a loss behind when it is trimmed: not the superseded ones of a client that gets the newest. */
  isLossWhenTrimmed({ channel, key }: Accepted): boolean {
    return this.selects(channel) && (key === undefined || !this.#conflates);
  }

  /** True for an entry that must not be delivered. */
  isForbidden(entry: Accepted): boolean {
    return !this.#isFor(entry) || this.#rights.of(this.#plan.key, entry) === "never";
  }

  /** With a filter or a sender, the entry that supersedes another one may not be for this client. */
  get #conflates(): boolean {
    return this.#plan.sender === undefined && this.#plan.without === undefined;
  }

  #isFor(entry: Accepted): boolean {
    const { sender, without } = this.#plan;
    if (!this.selects(entry.channel)) return false;
    if (entry.type === "sse:end") return true;
    return (sender === undefined || entry.sender !== sender) && !isLeftOut(entry, without);
  }
}

/** The filter of a client: the number that an event's data begins with decides. */
export function isLeftOut({ data }: { data: string }, without: number | undefined): boolean {
  return without !== undefined && Number.parseInt(data, 10) % without === 0;
}
