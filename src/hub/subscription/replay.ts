// Sends past entries to one client, in runs or one by one, as far as the client may and can receive them.
import { clearType } from "../../log/cleared.ts";
import type { LogEntry } from "../../log/log.ts";
import { allPermissions } from "../admission/permissions.ts";
import type { SharedEntry } from "../feed/frame-ring.ts";
import type { SharedRun } from "../feed/shared-run.ts";
import { declareCleared } from "./loss.ts";
import type { Subscription } from "./subscription.ts";

/** Why an entry could not be sent: no room, permission not checked yet, or enough has been replayed. */
export type Blocker = "full" | "unchecked" | "limit";

/**
 * The replay of one client, and its limit. It moves the position with each entry.
 *
 * In a storm, most clients come from few positions and receive everything on their channels: they take whole runs. A client
 * with a filter, or with permissions that are not known yet, is sent each entry on its own.
 */
export class Replay {
  readonly #subscription: Subscription;
  readonly #max: number;
  /** Entries sent since the client was last declared a gap, as long as it has not been at the head. */
  #sent = 0;
  /** The last entry that it has passed. Two fields, not an object: they are written for every entry. */
  #offset = -1;
  #witness = 0;

  /** @param subscription The one that is to reach the head. */
  constructor(subscription: Subscription) {
    const { context, isCatchingUp } = subscription;
    this.#subscription = subscription;
    // A client that has been at the head is not reconnecting any more.
    this.#max = isCatchingUp ? context.limits.maxReplay : Number.POSITIVE_INFINITY;
  }

  /** The limit counts from the last loss that the client was told. */
  restart(): void {
    this.#sent = 0;
  }

  /** Sends an entry if it is for this client, or returns the reason why that cannot be decided or done now. */
  send(item: SharedEntry): Blocker | null {
    const subscription = this.#subscription;
    const { entry } = item;
    if (subscription.closed || subscription.stream.full) return "full";
    // Permission comes before the filter: an application's function never sees an entry that this client may not.
    const allowed = subscription.permissions.cached(entry.channel);
    if (allowed === undefined) return "unchecked";
    if (!allowed) return null;
    if (!subscription.wants(entry)) return subscription.closed ? "full" : null;
    if (entry.type === clearType) {
      declareCleared(subscription, entry);
      return null;
    }
    // Only entries that the client would receive count, so this check comes last.
    if (this.#sent >= this.#max) return "limit";
    subscription.sendEntry(item);
    this.#sent++;
    return null;
  }

  /**
   * Whether the client receives every entry of its channels as it is, so that it can share runs. An event after the end of
   * a channel revokes the end, which a run does not do.
   */
  get takesRuns(): boolean {
    const { conflates, protocol, starts, hasEnds, selection, permissions } = this.#subscription;
    // A filter or a sender, which decide for each entry, are the reasons not to leave out superseded ones.
    if (!conflates || protocol !== null || starts !== null || hasEnds) return false;
    if (permissions === allPermissions) return true;
    return selection.prefixes.length === 0 && selection.channels.every((name) => permissions.cached(name) === true);
  }

  /** Sends a run. False if something speaks against it: then its entries are sent one by one, as far as they can be. */
  sendRun(run: SharedRun | null): boolean {
    const subscription = this.#subscription;
    if (run === null || subscription.closed || subscription.stream.full) return false;
    // The gap is declared after the last entry that is allowed, in the middle of the run.
    if (this.#sent + run.sent > this.#max) return false;
    const { counters } = subscription.context;
    if (run.frame !== null) {
      subscription.stream.write(run.frame);
      subscription.announcedOffset = run.lastSent;
      counters.deliveries += run.sent;
      counters.bytes += run.frame.byteLength;
    }
    counters.conflated += run.conflated;
    this.#sent += run.sent;
    this.pass(run.last);
    return true;
  }

  /** The entry was sent, or is not for this client. Its witness proves the position when the next page is read. */
  pass({ offset, witness }: LogEntry): void {
    this.#subscription.offset = offset;
    this.#offset = offset;
    this.#witness = witness;
  }

  /** The witness of the entry at an offset, where it is known. */
  witnessAt(offset: number): number | undefined {
    const { movedTo, context } = this.#subscription;
    if (this.#offset === offset) return this.#witness;
    return movedTo?.offset === offset ? movedTo.witness : context.feed.ring.witnessAt(offset);
  }
}
