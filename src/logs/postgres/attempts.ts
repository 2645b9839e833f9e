// The attempts of a process to append, as far as the server needs them to recognize entries that it has stored.
import type { AppendCall } from "../../log/append-queue.ts";
import { makeWitness } from "../../log/identity.ts";
import type { Position } from "../../log/log.ts";

/** A position of the log, in whichever epoch. */
type Known = Pick<Position, "offset" | "witness">;

/** The first attempt of a call. It may have been stored, so later ones keep its witnesses. */
interface FirstAttempt {
  /** Of its entries. */
  readonly witnesses: readonly number[];
  /** Its entries come after this position. `null` when the process knew none. */
  readonly since: Known | null;
}

/** The attempts of one process to store its calls. */
export class Attempts {
  readonly #first = new WeakMap<AppendCall, FirstAttempt>();
  /** The newest position that this process knows. */
  #known: Known | null = null;
  #needReceipt = false;

  /**
   * An attempt has got no answer, so it may arrive after later ones. The next one that is stored is to leave a receipt, by which the
   * server recognizes it.
   */
  get needReceipt(): boolean {
    return this.#needReceipt;
  }

  /** Made when the call is sent for the first time. */
  of(call: AppendCall): FirstAttempt {
    let first = this.#first.get(call);
    if (first === undefined) {
      first = { witnesses: call.entries.map(makeWitness), since: this.#known };
      this.#first.set(call, first);
    }
    return first;
  }

  /** @param position A position of the log, as its newest state has it. */
  onPosition(position: Known): void {
    this.#known = position;
  }

  /** Where a receipt was needed, it is stored. */
  onAnswer(): void {
    this.#needReceipt = false;
  }

  /** The attempt may have been stored, or may be later. */
  onNoAnswer(): void {
    this.#needReceipt = true;
  }
}
