// The clock of a client: monotonic, and it counts the time in which the machine slept.

/** The system's clock and the monotonic one drift apart slowly. A shift of more than this, in milliseconds, is a jump. */
const driftMs = 1_000;

/**
 * Measures durations on a machine that sleeps. The monotonic clock of some runtimes stops then. The system clock continues,
 * but it may also be set. So a jump of it forward counts as a sleep, after which a client reconnects at most once too
 * early, and a jump back is ignored.
 */
export class AwakeClock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  /** Unix time at 0 of the monotonic clock, as the system's clock has it now. */
  #origin: number;
  #sleptMs = 0;

  constructor(wall: () => number = () => Date.now(), monotonic: () => number = () => performance.now()) {
    this.#wall = wall;
    this.#monotonic = monotonic;
    this.#origin = wall() - monotonic();
  }

  /** Milliseconds that never go back. */
  now(): number {
    const time = this.#monotonic();
    const shift = this.#wall() - time - this.#origin;
    if (Math.abs(shift) > driftMs) {
      this.#origin += shift;
      this.#sleptMs += Math.max(0, shift);
    }
    return time + this.#sleptMs;
  }

  /** A moment of this clock in milliseconds of Unix time, for people. */
  toUnixTime(time: number): number {
    return Math.round(time - this.#sleptMs + this.#origin);
  }
}
