// The ways past entries that a subscription does not get: each asks the log, and declares the loss.
import type { Position } from "../../log/log.ts";
import type { ResetReason } from "../../wire/control.ts";
import type { Location } from "../admission/locator.ts";
import type { Hole } from "../feed/checked-tail.ts";
import { declareGap, declareReset } from "./loss.ts";
import { presentPosition } from "./position.ts";
import { type DeclaredGap, decideResume, lastTrimmed } from "./resume.ts";
import type { StateTransfer } from "./state-transfer.ts";
import type { Subscription } from "./subscription.ts";

/**
 * Each method asks the log for its present state, moves the subscription past what it does not get, and resolves with the
 * state to send first, `null` if there is none. While the log was asked, the client may have left, or the log may have been
 * replaced: then nothing is declared, and the next step of the pump looks again.
 */
export class Recovery {
  readonly #subscription: Subscription;
  readonly #onLoss: () => void;

  /** @param onLoss Called before a loss is declared. */
  constructor(subscription: Subscription, onLoss: () => void) {
    this.#subscription = subscription;
    this.#onLoss = onLoss;
  }

  /** Entries up to an offset were trimmed before they could be sent. */
  async skipTrimmed(trimmed: number): Promise<StateTransfer | null> {
    const location = await this.#locate();
    const { epoch, offset, closed, conflates } = this.#subscription;
    if (closed || location.head.epoch !== epoch) return null;
    const { head, answer } = location;
    const position = { epoch, ...head.floor };
    const to = lastTrimmed(head, Math.max(trimmed, answer.trimmed), conflates);
    return this.#declareGap({ reason: "trimmed", from: offset + 1, to, position }, location);
  }

  /** The client has been sent as many past entries as the limit allows. */
  async skipToPresent(): Promise<StateTransfer | null> {
    const location = await this.#locate();
    const { epoch, offset, closed, context } = this.#subscription;
    if (closed || location.head.epoch !== epoch) return null;
    const position = presentPosition(location.head, context.feed.ring.head);
    return this.#declareGap({ reason: "limit", from: offset + 1, to: position.offset, position }, location);
  }

  /** The log has lost a stretch from the middle of its sequence. */
  async skipHole({ from, to, witness }: Hole): Promise<StateTransfer | null> {
    const { epoch, offset } = this.#subscription;
    const position = { epoch, offset: to, witness };
    const gap: DeclaredGap = { reason: "missing", from: Math.max(from, offset + 1), to, position };
    return this.#declareGap(gap, await this.#locate());
  }

  /** Decides again how the client continues. Another break during the question makes a new anchor, and this answer void. */
  async verify(anchor: Position): Promise<StateTransfer | null> {
    const subscription = this.#subscription;
    const location = await this.#locate(anchor);
    if (subscription.closed || subscription.anchor !== anchor) return null;
    subscription.anchor = null;
    const { conflates, offset } = subscription;
    const resumption = decideResume(anchor, location, { conflates, known: offset });
    if (resumption.kind === "gap") return this.#declareGap(resumption, location);
    if (resumption.kind === "reset") return this.#declareReset(resumption.reason, location);
    return null;
  }

  /** The log was replaced. */
  async reset(): Promise<StateTransfer | null> {
    return this.#declareReset("epoch", await this.#locate());
  }

  async #declareGap(gap: DeclaredGap, location: Location): Promise<StateTransfer | null> {
    this.#onLoss();
    return this.#subscription.closed ? null : declareGap(this.#subscription, gap, location);
  }

  async #declareReset(reason: ResetReason, location: Location): Promise<StateTransfer | null> {
    this.#onLoss();
    return this.#subscription.closed ? null : declareReset(this.#subscription, reason, location);
  }

  #locate(cursor: Position | null = null): Promise<Location> {
    const { context, selection } = this.#subscription;
    return context.locator.ask({ cursor, selection });
  }
}
