// The attempts of a process to append, as far as the server needs them to recognize entries that it has stored.
import type { AppendCall, AppendOutcome } from "../../log/append-queue.ts";
import type { Position } from "../../log/log.ts";

/** A position of the log. */
export type Known = Pick<Position, "epoch" | "offset" | "witness">;

/** The first attempt of a call. It may have been stored, so later ones keep its witnesses. */
export interface FirstAttempt {
  /** Of its entries. */
  readonly witnesses: readonly number[];
  /** Its entries come after this position. `null` when the process knew none. */
  readonly since: Known | null;
}

/** The attempts of one process to store its calls. */
export class Attempts {
  /** Only of calls whose attempt failed: in a burst, a weak map takes a third of the publisher's time. */
  readonly #first = new WeakMap<AppendCall, FirstAttempt>();
  #known: Known | null = null;
  #needReceipt = false;

  /** The newest position that this process knows. */
  get known(): Known | null {
    return this.#known;
  }

  /**
   * An attempt has got no answer, so it may arrive after later ones. The next one that is stored is to leave a receipt, by which the
   * server recognizes it.
   */
  get needReceipt(): boolean {
    return this.#needReceipt;
  }

  /** `undefined` for a call whose attempt has not failed. */
  of(call: AppendCall): FirstAttempt | undefined {
    return call.attempt > 1 ? this.#first.get(call) : undefined;
  }

  /** The attempt has failed. */
  keep(call: AppendCall, first: FirstAttempt): void {
    this.#first.set(call, first);
  }

  /** @param position A position of the log, as its newest state has it. */
  onPosition(position: Known): void {
    this.#known = position;
  }

  /** The server has answered. Where a receipt was needed, it is stored. */
  onAnswer(): void {
    this.#needReceipt = false;
  }

  /** @param outcome That of the newest call. */
  onOutcome(outcome: AppendOutcome | undefined): void {
    if (Array.isArray(outcome)) this.#known = outcome.at(-1) ?? this.#known;
  }

  /** The attempt may have been stored, or may be later. */
  onNoAnswer(): void {
    this.#needReceipt = true;
  }
}
