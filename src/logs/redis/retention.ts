// Removes what is not to be kept, in the background.
import { now, WakeTimer } from "../../base/clock.ts";
import type { RetentionLimits } from "../../log/retention.ts";
import { type Commands, Script } from "./commands.ts";
import { trimScript } from "./scripts/maintain.ts";

const script = new Script(trimScript);

/** Entries that one call of the script removes: nothing else runs in Redis during it. */
const entriesPerSlice = 500;
/**
 * Entries over a limit stay for this long, so that the tails of all processes can take them, for example after a burst.
 */
const minAgeMs = 250;
/** A pass waits so long for more to come together, in milliseconds: an entry of a hundred costs three times as much as one of 500. */
const passDelayMs = 80;
/** Witnesses of trimmed entries: 16 MB. */
const maxWitnesses = 4 * 1024 ** 2;
/** How often a process says that it uses the log, in milliseconds. */
export const memberBeatMs = 5_000;

/**
 * Every process trims, and the script decides: it sees what others have trimmed before. The same script says that this process
 * is there. A pass that fails is repeated with the next one.
 */
export class RetentionWorker {
  readonly #commands: Commands;
  readonly #args: readonly (string | number)[];
  readonly #timer = new WakeTimer(() => void this.#run());
  #isRunning = false;
  /** Something was appended since the last pass began, so the next one is planned, or will be at its end. */
  #isTouched = false;
  #closed = false;

  /**
   * @param member The id of this process's log.
   * @param options Its options as text.
   */
  constructor(commands: Commands, member: string, options: string, limits: RetentionLimits) {
    this.#commands = commands;
    const { events, bytes, age, window, witnessAge } = limits;
    const maxAge = age === Number.POSITIVE_INFINITY ? -1 : age;
    this.#args = [member, options, events, bytes, maxAge, window, witnessAge, maxWitnesses, entriesPerSlice, minAgeMs];
  }

  /** Something was appended: there may be something to do soon. */
  touch(): void {
    if (this.#isTouched) return;
    this.#isTouched = true;
    this.#plan(passDelayMs);
  }

  /** A slice that is under way in Redis ends there. */
  close(): void {
    this.#closed = true;
    this.#timer.stop();
  }

  /** One pass at a time. */
  #plan(delay: number): void {
    if (!this.#closed && !this.#isRunning) this.#timer.set(now() + delay);
  }

  /** Slices follow each other without a pause: appends of all processes come in between. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    this.#isTouched = false;
    let next = memberBeatMs;
    try {
      for (let hasMore = true; hasMore && !this.#closed; ) {
        const [more, expiry] = (await this.#commands.run(script, this.#args)) as readonly [number, number];
        hasMore = Number(more) === 1;
        if (Number(expiry) >= 0) next = Math.min(next, Math.max(passDelayMs, Number(expiry)));
      }
    } catch {
      // The store cannot be reached: publishers and readers are told.
    }
    this.#isRunning = false;
    this.#plan(this.#isTouched ? passDelayMs : next);
  }
}
