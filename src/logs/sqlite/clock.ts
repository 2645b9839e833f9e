// The time of a log: what ages are measured by, so that a clock that jumps neither expires entries nor keeps them forever.
import { now } from "../../base/clock.ts";

/** A correction that is off by less is left as it is: writing a new one would cost more than the error. */
const toleranceMs = 1_000;

/** Where a {@link LogClock} takes its time from, in milliseconds. */
export interface ClockSources {
  /** The computer's clock, which jumps: it is set by hand, by NTP, or begins in 1970 on a machine without a battery. */
  readonly wall: () => number;
  /** Never jumps, and means nothing to another process. */
  readonly monotonic: () => number;
}

/** The log's time as the database has it. */
export interface StoredClock {
  /** Log time minus wall clock, as the last process that noticed a jump stored it. */
  readonly correction: number;
  /** Log time of the newest entry, 0 when there is none. */
  readonly latest: number;
}

/**
 * The rule by which a log's time passes. Ages of entries, the idempotency window and ages of witnesses are differences of
 * log time, which is stored with each entry next to the wall clock, which is for people.
 *
 * - While a process has the log open, log time passes with the monotonic clock. A jump of the wall clock changes nothing.
 * - Between processes it passes with the wall clock, since nothing else is known of that time: log time is the wall clock
 *   plus a stored correction. A process that sees the wall clock jump stores a new correction, so that the jump does not count
 *   as time when the log is opened again. It sees that with its next transaction, and within a second while it has tails.
 * - It never goes back: no process begins before the newest entry, and one that is overtaken by another adopts its time.
 *
 * So a jump forward expires an entry early only where it happened while no process ran, which looks the same as a long
 * downtime. A jump back at such a moment keeps entries for as much longer as the clock went back, at most.
 */
export class LogClock {
  readonly #sources: ClockSources;
  /** Log time minus monotonic time. */
  #offset = Number.NEGATIVE_INFINITY;
  #correction = 0;

  constructor(sources: ClockSources = { wall: () => Date.now(), monotonic: now }) {
    this.#sources = sources;
  }

  /** Log time, in whole milliseconds, once the database has been asked with {@link adopt}. */
  now(): number {
    return Math.floor(this.#offset + this.#sources.monotonic());
  }

  /** Takes over what the database has. Called in each transaction that needs the time. */
  adopt({ correction, latest }: StoredClock): void {
    const { wall, monotonic } = this.#sources;
    const least = latest - monotonic();
    if (this.#offset === Number.NEGATIVE_INFINITY) this.#offset = wall() + correction - monotonic();
    // Another process has stored an entry at a later log time: ages are only comparable when both go on from there.
    if (this.#offset < least) this.#offset = least;
    this.#correction = correction;
  }

  /** The correction to store, `undefined` while the stored one is good enough. */
  correction(): number | undefined {
    const correction = this.now() - this.#sources.wall();
    return Math.abs(correction - this.#correction) > toleranceMs ? correction : undefined;
  }
}
