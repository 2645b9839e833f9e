// Turns of the event loop for others, between the pieces of a producer that never waits.
import { now, setImmediateOrTimeout } from "./clock.ts";

/** How long pieces may follow one another in one turn of the event loop, in milliseconds. */
const maxTurnMs = 5;
/** Pieces between two looks at the clock. */
const piecesPerClockCheck = 64;

/**
 * Lets others have their turns. A producer that always has a piece, such as a long list, would otherwise keep the process from
 * everything else, the request to stop it among them: a channel has no reader that would make it wait, as a source has.
 */
export class Pace {
  #pieces = 0;
  #start = now();

  /** A wait for the next turn of the event loop, when this one has been long enough. */
  ready(): Promise<void> | undefined {
    if (++this.#pieces < piecesPerClockCheck) return undefined;
    this.#pieces = 0;
    return now() - this.#start < maxTurnMs ? undefined : this.#nextTurn();
  }

  async #nextTurn(): Promise<void> {
    await new Promise<void>((resolve) => setImmediateOrTimeout(resolve));
    this.#start = now();
  }
}
