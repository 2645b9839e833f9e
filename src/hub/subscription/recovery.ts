// The ways past entries that a reader does not get: each asks the log, and declares the loss.
import type { ChannelSelection, Position } from "../../log/log.ts";
import type { ResetReason } from "../../wire/control.ts";
import { floorPosition } from "../../wire/cursor.ts";
import type { Location, Locator } from "../admission/locator.ts";
import type { Hole } from "../feed/checked-tail.ts";
import type { Feed } from "../feed/feed.ts";
import { presentPosition } from "./position.ts";
import { type DeclaredGap, decideResume, lastTrimmed } from "./resume.ts";

/**
 * Each method asks the log for its present state, and resolves with the declaration of the loss, `null` if nothing is lost.
 * While the log was asked, the client may have left, or the log may have been replaced: then nothing is declared, and the
 * next step of the reader looks again.
 */
export class Recovery<Declaration> {
  readonly #reader: RecoveringReader;
  readonly #declare: Declare<Declaration>;

  /**
   * @param reader Has the position, which only it moves.
   * @param declare Tells its client, in the terms of the protocol that the client speaks.
   */
  constructor(reader: RecoveringReader, declare: Declare<Declaration>) {
    this.#reader = reader;
    this.#declare = declare;
  }

  /** Entries up to an offset were trimmed before they could be sent. */
  async skipTrimmed(trimmed: number): Promise<Declaration | null> {
    const location = await this.#locate();
    const { epoch, offset, closed, conflates } = this.#reader;
    if (closed || location.head.epoch !== epoch) return null;
    const { head, answer } = location;
    const position = floorPosition(head);
    const to = lastTrimmed(head, Math.max(trimmed, answer.trimmed), conflates);
    return this.#gap({ reason: "trimmed", from: offset + 1, to, position }, location);
  }

  /** The client has been sent as many past entries as the limit allows. */
  async skipToPresent(): Promise<Declaration | null> {
    const location = await this.#locate();
    const { epoch, offset, closed, context } = this.#reader;
    if (closed || location.head.epoch !== epoch) return null;
    const position = presentPosition(location.head, context.feed.ring.head);
    return this.#gap({ reason: "limit", from: offset + 1, to: position.offset, position }, location);
  }

  /** The log has lost a stretch from the middle of its sequence. */
  async skipHole({ from, to, witness }: Hole): Promise<Declaration | null> {
    const { epoch, offset } = this.#reader;
    const position = { epoch, offset: to, witness };
    const gap: DeclaredGap = { reason: "missing", from: Math.max(from, offset + 1), to, position };
    return this.#gap(gap, await this.#locate());
  }

  /** Decides again how the client continues. Another break during the question makes a new anchor, and this answer void. */
  async verify(anchor: Position): Promise<Declaration | null> {
    const reader = this.#reader;
    const location = await this.#locate(anchor);
    if (reader.closed || reader.anchor !== anchor) return null;
    reader.anchor = null;
    const { conflates, offset } = reader;
    const resumption = decideResume(anchor, location, { conflates, known: offset });
    if (resumption.kind === "gap") return this.#gap(resumption, location);
    if (resumption.kind === "reset") return this.#reset(resumption.reason, location);
    return null;
  }

  /** The log was replaced: the offsets of the position mean nothing in the next epoch. */
  async reset(): Promise<Declaration | null> {
    return this.#reset("epoch", await this.#locate());
  }

  /** The client may have left while the log was asked: a declaration would call the application for nothing. */
  async #gap(gap: DeclaredGap, location: Location): Promise<Declaration | null> {
    return this.#reader.closed ? null : this.#declare.gap(gap, location);
  }

  async #reset(reason: ResetReason, location: Location): Promise<Declaration | null> {
    return this.#reader.closed ? null : this.#declare.reset(reason, location);
  }

  #locate(cursor: Position | null = null): Promise<Location> {
    const { context, selection } = this.#reader;
    return context.locator.ask({ cursor, selection });
  }
}

/**
 * The anchor of a reader that moves to a position. It must not be before the position: a loss between the two would go
 * unnoticed, and a position that the log knows would be declared unverified. In another epoch, it says nothing.
 */
export function anchorAfterMove(anchor: Position | null, position: Position): Position | null {
  if (anchor === null || anchor.epoch !== position.epoch) return null;
  return anchor.offset < position.offset ? { ...position } : anchor;
}

/** Declares a loss, and moves the reader past it. `null` if nothing of it remains to be sent. */
interface Declare<Declaration> {
  gap(gap: DeclaredGap, location: Location): Declaration | null | Promise<Declaration | null>;
  reset(reason: ResetReason, location: Location): Declaration | null | Promise<Declaration | null>;
}

/** A subscription, or a reader of the application. */
export interface RecoveringReader {
  readonly epoch: string;
  readonly offset: number;
  readonly closed: boolean;
  readonly conflates: boolean;
  readonly selection: ChannelSelection;
  anchor: Position | null;
  readonly context: { readonly feed: Feed; readonly locator: Locator };
}
