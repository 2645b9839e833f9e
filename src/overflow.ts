import { controlFrame } from "./control.ts";
import type { Frame } from "./frame.ts";
import type { Overflow, ResolvedOptions } from "./options.ts";

/**
 * What a source does about a client that reads too slowly: one for each source, made when a frame first does not fit.
 * Dropped events are declared to the client before the next one that it gets.
 */
export class Backlog {
  dropped = 0;
  /** Of those dropped, the ones that the client has not been told of. */
  undeclared = 0;
  /** True from the first frame that did not fit until the client has caught up. */
  overflowing = false;
  readonly #decide: ResolvedOptions["onOverflow"];

  constructor(decide: ResolvedOptions["onOverflow"]) {
    this.#decide = decide;
  }

  /** What happens to a frame that does not fit. Throws what the application's own function throws. */
  decide(bufferedAmount: number, byteLength: number): "close" | "drop" | "keep" {
    const overflow: Overflow = { bufferedAmount, byteLength, dropped: this.dropped };
    const decision = typeof this.#decide === "function" ? (this.#decide(overflow) ?? "drop") : this.#decide;
    if (decision === "drop") {
      this.dropped++;
      this.undeclared++;
    }
    return decision;
  }

  /** The frame that declares what was dropped since the last one. */
  declaration(): Frame {
    const missed = this.undeclared;
    this.undeclared = 0;
    return controlFrame("sse:gap", { missed, reason: "overflow", exact: true });
  }
}
