// The state that a client receives before its position, in place of the events that it does not get.
import type { LogEntry, Position } from "../../log/log.ts";
import { formatCursor } from "../../wire/cursor.ts";
import type { Frame } from "../../wire/frame.ts";
import { frameOfEntry, stateFrameOfEntry } from "../feed/frame-ring.ts";
import { PageReader } from "../feed/page-reader.ts";
import type { Slice } from "./scheduler.ts";
import type { SnapshotPages } from "./snapshot.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Begins to send a state. Its frames have no ids, and the position completes them: a client that is cut off in between
 * starts over. Where there is nothing to send, the position follows at once.
 *
 * The subscription moves to the position before the state is sent. Until it is complete, the subscription lags there: events
 * after the position stay in the log, and none is sent before the state that it belongs on top of.
 *
 * @returns The transfer that remains, `null` if there is none.
 */
export function transferState(subscription: Subscription, state: ChannelState): StateTransfer | null {
  subscription.moveTo(state.position);
  for (const { channel } of state.ends) subscription.markEnded(channel);
  if (state.snapshot !== null || state.values !== null || state.ends.length > 0) {
    return new StateTransfer(subscription, state);
  }
  complete(subscription, state, false);
  return null;
}

/**
 * A state on its way to one client. It holds no queue: snapshot and values come from shared pages, as the client reads. The order is
 * snapshot or values, then ends, then the position, so that an end is the last that a client receives of its channel.
 */
export class StateTransfer {
  readonly #subscription: Subscription;
  readonly #state: ChannelState;
  readonly #upTo: number;
  readonly #pages: PageReader;
  #endsSent = 0;
  /** Values up to this offset were sent. */
  #after: number;
  #hasSent = false;

  constructor(subscription: Subscription, state: ChannelState) {
    const { selection, selectionKey, context } = subscription;
    const { after, upTo } = state.values ?? { after: 0, upTo: 0 };
    this.#subscription = subscription;
    this.#state = state;
    this.#after = after;
    this.#upTo = upTo;
    this.#pages = new PageReader(context.pages, { kind: "values", selection, upTo, key: `values ${selectionKey}` });
  }

  /**
   * Sends as much as the client takes.
   *
   * @returns `"done"`, `"more"` when the slice is over, `"full"` when the client has to read first, or a promise to wait for.
   */
  step(slice: Slice): "done" | "more" | "full" | Promise<void> {
    const { stream } = this.#subscription;
    while (!stream.full && stream.closeReason === null) {
      const outcome = this.#sendNext();
      if (outcome !== "sent") return outcome;
      if (slice.isOver(8)) return "more";
    }
    this.release();
    return "full";
  }

  /** Lets go of the page that it is reading. */
  release(): void {
    this.#pages.release();
  }

  /** The client has left. */
  stop(): void {
    this.release();
    this.#state.snapshot?.release();
  }

  #sendNext(): "sent" | "done" | Promise<void> {
    const { snapshot, ends } = this.#state;
    const page = snapshot?.take();
    if (page != null) return this.#send(page);
    if (this.#after < this.#upTo) return this.#sendValue();
    const end = ends[this.#endsSent];
    if (end !== undefined) {
      this.#endsSent++;
      return this.#sendEnd(end, this.#endsSent === ends.length);
    }
    complete(this.#subscription, this.#state, this.#hasSent);
    return "done";
  }

  /** Moves on only past a value whose permission is known: a wait comes back to the same one. */
  #sendValue(): "sent" | Promise<void> {
    const { permissions } = this.#subscription;
    const page = this.#pages.at(this.#after);
    if (page === undefined) return this.#loadPage();
    const item = page.items[page.indexAfter(this.#after)];
    if (item === undefined || item.entry.offset > this.#upTo) {
      this.#after = page.through;
      return "sent";
    }
    const { entry } = item;
    const allowed = permissions.cached(entry.channel);
    if (allowed === undefined) return this.#subscription.checkPermission(entry.channel);
    this.#after = entry.offset;
    return allowed && this.#subscription.wants(entry) ? this.#send(item.frame) : "sent";
  }

  /** A page that brings nothing further completes the values: asked again, the log would say the same. */
  async #loadPage(): Promise<void> {
    const page = await this.#pages.load(this.#after);
    // A log that was replaced has no values for this position. The reset that follows brings those of the new one.
    if (page.epoch !== this.#subscription.epoch || page.through <= this.#after) this.#after = this.#upTo;
    if (this.#subscription.closed) this.release();
  }

  /** When all channels have ended, the last end has an id: a client that has received it does not reconnect for more. */
  #sendEnd(end: LogEntry, isLast: boolean): "sent" {
    const { allEnded, epoch } = this.#subscription;
    return this.#send(isLast && allEnded ? frameOfEntry(epoch, end) : stateFrameOfEntry(end));
  }

  #send(frame: Frame): "sent" {
    const { loss } = this.#state;
    // Only now: if no value turns out to be for this client, the declaration carries the position itself.
    if (!this.#hasSent && loss !== null) this.#subscription.sendControl(loss());
    this.#hasSent = true;
    this.#subscription.sendControl(frame);
    return "sent";
  }
}

/** A declared loss carries the position itself if nothing stands in for the lost events. */
function complete(subscription: Subscription, { loss, position }: ChannelState, hasSent: boolean): void {
  if (loss !== null && !hasSent) subscription.sendControl(loss(formatCursor(position)), position.offset);
  else if (!subscription.allEnded) subscription.announce(position);
  subscription.closeIfEnded();
}

/** The state of a subscription's channels at a position. */
export interface ChannelState {
  /** Makes the frame of the declared loss, which comes first; `null` for a new client. */
  readonly loss: ((id?: string) => Frame) | null;
  /** The application's snapshot, `null` without one. */
  readonly snapshot: SnapshotPages | null;
  /** Which values to send: the newest entry of each key in (after, upTo]. */
  readonly values: { readonly after: number; readonly upTo: number } | null;
  /** The ends of channels that the client has not received. */
  readonly ends: readonly LogEntry[];
  /** The stream continues after this position. */
  readonly position: Position;
}
