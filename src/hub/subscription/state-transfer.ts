// The state that a client receives before its position, in place of the events that it does not get.
import type { ChannelSelection, LogEntry, Position } from "../../log/log.ts";
import { encodeControl } from "../../wire/control.ts";
import { formatCursor } from "../../wire/cursor.ts";
import { Frame } from "../../wire/frame.ts";
import { frameOfEntry, stateFrameOfEntry } from "../feed/frame-ring.ts";
import { PageReader } from "../feed/page-reader.ts";
import { selectionKey } from "../selection.ts";
import { checkPermission, passesFilter } from "./filter.ts";
import { endInProtocol } from "./protocol.ts";
import type { Slice } from "./scheduler.ts";
import type { SnapshotPages } from "./snapshot.ts";
import { Starts } from "./starts.ts";
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
  // Nearly every new client: nothing is made for it.
  if (isEmpty(state)) {
    conclude(subscription, state, false);
    return null;
  }
  return transfer(subscription, [state]);
}

/** Begins to send the states of channels that begin at two positions. One checkpoint completes both. */
export function transferStates(
  subscription: Subscription,
  held: ChannelState,
  joining: ChannelState,
): StateTransfer | null {
  const starts = new Starts(held.selection, held.position, joining.position);
  subscription.starts = starts;
  subscription.moveTo(starts.lower);
  // A channel that is held and covered by a joining prefix has its values, or gets them as events.
  const own: ChannelState = {
    ...joining,
    excludes: ({ channel }) => starts.isHeld(channel),
    ends: joining.ends.filter(({ channel }) => !starts.isHeld(channel)),
  };
  return transfer(subscription, [held, own], starts);
}

function transfer(subscription: Subscription, states: readonly ChannelState[], starts?: Starts): StateTransfer | null {
  for (const { channel } of states.flatMap(({ ends }) => ends)) subscription.markEnded(channel);
  const completion = new Completion(subscription, states, starts);
  if (!states.every(isEmpty)) return new StateTransfer(subscription, states, completion);
  completion.send();
  return null;
}

function isEmpty({ snapshot, values, ends }: ChannelState): boolean {
  return snapshot === null && values === null && ends.length === 0;
}

/** Gives the client the position of a state. A declared loss carries it if nothing stands in for the lost events. */
function conclude(subscription: Subscription, { loss, position }: ChannelState, isDeclared: boolean): void {
  if (loss !== null && !isDeclared) subscription.sendControl(loss(formatCursor(position)), position.offset);
  else if (!subscription.allEnded) subscription.announce(position);
  subscription.closeIfEnded();
}

/**
 * States on their way to one client. It holds no queue: the values come from shared pages, as the client reads. The
 * order is snapshot or values, then ends, then the position, so that an end is the last thing that a client receives
 * from its channel.
 */
export class StateTransfer {
  readonly #subscription: Subscription;
  readonly #states: readonly ChannelState[];
  readonly #completion: Completion;
  #index = 0;
  #pages: PageReader | null = null;
  #endsSent = 0;
  /** The log was replaced, so the values of its position are gone: the position must not be given without them. */
  #isVoid = false;
  /** Values of the current state up to this offset were sent. */
  #after: number;

  constructor(subscription: Subscription, states: readonly ChannelState[], completion: Completion) {
    this.#subscription = subscription;
    this.#states = states;
    this.#completion = completion;
    this.#after = states[0]?.values?.after ?? 0;
  }

  /**
   * Sends as much as the client takes.
   *
   * @returns `"done"`, `"more"` when the slice is over, `"full"` when the client has to read first, `"void"` when the log was
   * replaced, or a promise to wait for.
   */
  step(slice: Slice): "done" | "more" | "full" | "void" | Promise<void> {
    const { stream } = this.#subscription;
    while (!stream.full && stream.closeReason === null) {
      const outcome = this.#sendNext();
      if (outcome !== "sent") return outcome;
      if (slice.isOver(8)) return "more";
    }
    this.release();
    return "full";
  }

  /** Releases the page that it is reading. */
  release(): void {
    this.#pages?.release();
  }

  /** The client has left. Releases the rest of the snapshot, too, which other clients may not share. */
  stop(): void {
    this.release();
    for (const { snapshot } of this.#states) snapshot?.release();
  }

  #sendNext(): "sent" | "done" | "void" | Promise<void> {
    if (this.#isVoid) return "void";
    const state = this.#states[this.#index];
    if (state === undefined) {
      this.#completion.send();
      return "done";
    }
    const page = state.snapshot?.take();
    if (page != null) return this.#send(state, page);
    if (state.values !== null && this.#after < state.values.upTo) return this.#sendValue(state, state.values.upTo);
    const end = state.ends[this.#endsSent];
    if (end === undefined) return this.#goOn();
    this.#endsSent++;
    return this.#sendEnd(state, end, this.#endsSent === state.ends.length);
  }

  #goOn(): "sent" {
    this.release();
    this.#pages = null;
    this.#index++;
    this.#endsSent = 0;
    this.#after = this.#states[this.#index]?.values?.after ?? 0;
    return "sent";
  }

  /** Moves on only past a value whose permission is known: a wait comes back to the same one. */
  #sendValue(state: ChannelState, upTo: number): "sent" | Promise<void> {
    const { permissions, isLabeled, context } = this.#subscription;
    const { selection } = state;
    this.#pages ??= new PageReader(context.pages, {
      kind: "values",
      selection,
      upTo,
      key: `values ${selectionKey(selection)}`,
    });
    const page = this.#pages.at(this.#after);
    if (page === undefined) return this.#loadPage(this.#pages, upTo);
    const item = page.items[page.indexAfter(this.#after)];
    if (item === undefined || item.entry.offset > upTo) {
      this.#after = page.through;
      return "sent";
    }
    const { entry } = item;
    const allowed = permissions.cached(entry.channel);
    if (allowed === undefined) return checkPermission(this.#subscription, entry.channel);
    this.#after = entry.offset;
    const isWanted = allowed && !state.excludes?.(entry) && passesFilter(this.#subscription, entry);
    return isWanted ? this.#send(state, isLabeled ? item.labeled : item.frame) : "sent";
  }

  /** A page that brings nothing further completes the values: asked again, the log would say the same. */
  async #loadPage(pages: PageReader, upTo: number): Promise<void> {
    const page = await pages.load(this.#after);
    if (page.epoch !== this.#subscription.epoch) this.#isVoid = true;
    else if (page.through <= this.#after) this.#after = upTo;
    if (this.#subscription.closed) this.release();
  }

  /** When all channels have ended, the last end has an id: a client that has received it does not reconnect for more. */
  #sendEnd(state: ChannelState, end: LogEntry, isLast: boolean): "sent" {
    const { allEnded, epoch, isLabeled, protocol } = this.#subscription;
    if (protocol !== null) {
      const frame = isLast ? endInProtocol(this.#subscription, end) : null;
      return frame === null ? "sent" : this.#send(state, frame);
    }
    const isPosition = isLast && allEnded && this.#states.length === 1;
    return this.#send(state, isPosition ? frameOfEntry(epoch, end, isLabeled) : stateFrameOfEntry(end, isLabeled));
  }

  #send(state: ChannelState, frame: Frame): "sent" {
    this.#completion.declare(state);
    this.#subscription.sendControl(frame);
    return "sent";
  }
}

/** The losses of a transfer, and the position that completes it. */
class Completion {
  readonly #subscription: Subscription;
  readonly #states: readonly ChannelState[];
  readonly #starts: Starts | undefined;
  readonly #declared = new Set<ChannelState>();

  constructor(subscription: Subscription, states: readonly ChannelState[], starts: Starts | undefined) {
    this.#subscription = subscription;
    this.#states = states;
    this.#starts = starts;
  }

  /**
   * Declares the loss of a state before anything of it is sent. Only then: if no value turns out to be for this client, the
   * declaration carries the position itself.
   */
  declare(state: ChannelState): void {
    if (this.#declared.has(state)) return;
    this.#declared.add(state);
    if (state.loss !== null) this.#subscription.sendControl(state.loss());
  }

  send(): void {
    const subscription = this.#subscription;
    const starts = this.#starts;
    if (starts === undefined) {
      conclude(subscription, this.#states[0] as ChannelState, this.#declared.size > 0);
      return;
    }
    for (const state of this.#states) this.declare(state);
    const { held, joined, lower } = starts;
    const offsets = held.offset === joined.offset ? {} : { held: held.offset, joined: joined.offset };
    subscription.sendControl(Frame.of(encodeControl("sse:checkpoint", offsets, formatCursor(lower))), lower.offset);
    subscription.closeIfEnded();
  }
}

/** The state of some channels at a position. */
export interface ChannelState {
  /** The channels. */
  readonly selection: ChannelSelection;
  /** Makes the frame of the declared loss, which comes first; `null` for a new client. */
  readonly loss: ((id?: string) => Frame) | null;
  /** The application's snapshot, `null` without one. */
  readonly snapshot: SnapshotPages | null;
  /** Which values to send: the newest entry of each key in (after, upTo]. */
  readonly values: { readonly after: number; readonly upTo: number } | null;
  /** Values that the client has, or gets as events. */
  readonly excludes?: (entry: LogEntry) => boolean;
  /** The ends of channels that the client has not received. */
  readonly ends: readonly LogEntry[];
  /** The stream continues after this position. */
  readonly position: Position;
}
