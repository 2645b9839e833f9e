// Signs of life at a regular pace, by the process that produces or completes a run.
import { now, WakeTimer } from "../base/clock.ts";
import type { Position } from "../log/log.ts";
import type { Chat, ElectedRun, Signs } from "./chat.ts";
import { isConflict } from "./run-writer.ts";

/** Signs of life in one lease. */
const beatsPerLease = 3;

/** Shows that a run is alive while it publishes nothing, until it is stopped, or another process has claimed the run. */
export class Beats {
  readonly #chat: Chat;
  readonly #run: BeatingRun;
  readonly #timer: WakeTimer;
  readonly #onFenced: () => void;
  /** How the run ends, once this process has claimed that. */
  #outcome: Signs["outcome"] = null;
  /** The newest sign of life is at this position; `undefined` where that is not known. */
  #after: Position | undefined;
  #latest: Promise<void> = Promise.resolve();
  #isUnderWay = false;

  constructor(chat: Chat, run: BeatingRun, options: BeatOptions = {}) {
    const { outcome = null, after, isDue = () => true, onFenced = () => {} } = options;
    this.#chat = chat;
    this.#run = run;
    this.#outcome = outcome;
    this.#after = after;
    this.#onFenced = onFenced;
    const interval = run.lease / beatsPerLease;
    this.#timer = new WakeTimer((time) => {
      this.#timer.set(time + interval);
      if (!this.#isUnderWay && isDue(time, interval)) this.#latest = this.#beat();
    });
    this.#timer.set(now() + interval);
  }

  /** Resolves when the newest sign of life has settled, so that it does not come after what is appended next. */
  get settled(): Promise<void> {
    return this.#latest;
  }

  /** From now on the signs of life repeat a claim. */
  claimed(outcome: Signs["outcome"], position: Position | undefined): void {
    this.#outcome = outcome;
    this.#after = position;
  }

  stop(): void {
    this.#timer.stop();
  }

  async #beat(): Promise<void> {
    this.#isUnderWay = true;
    try {
      this.#after = await this.#chat.beat(this.#run.run, this.#outcome, this.#after);
    } catch (error) {
      // A log that fails now is reported by the next append; until then, the next beat may arrive.
      if (isConflict(error)) await this.#check().catch(() => {});
    } finally {
      this.#isUnderWay = false;
    }
  }

  /** A process that was paused finds the claim of another one. Its own signs of life must not hide that claim. */
  async #check(): Promise<void> {
    const { outcome } = await this.#chat.signs(this.#run);
    this.#after = undefined;
    if (outcome === this.#outcome) return;
    this.stop();
    this.#onFenced();
  }
}

/** The part of a run that its signs of life use. */
type BeatingRun = Pick<ElectedRun, "run" | "channel" | "lease">;

/** The options of {@link Beats}. */
interface BeatOptions {
  /** The outcome that this process has claimed. @default null */
  outcome?: Signs["outcome"];
  /** The newest sign of life of the run. @default unknown */
  after?: Position | undefined;
  /** Called with the time, and the milliseconds between two signs. @default always due */
  isDue?: (time: number, interval: number) => boolean;
  /** Called when another process has claimed the run. */
  onFenced?: () => void;
}
