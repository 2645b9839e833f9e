// Whether the log can be reached: learned from every answer and every failure, and asked again during an outage.
import { runDetached } from "../base/async-context.ts";
import { now, WakeTimer } from "../base/clock.ts";
import { SourcecastError } from "../base/errors.ts";
import type { LogObserver } from "./log-deadline.ts";

/** How often the log is asked during an outage, in milliseconds. Without an outage, nothing is asked. */
const probeIntervalMs = 1_000;
/**
 * Milliseconds after a failed append during which an answer does not end the outage: a log with a full disk still
 * answers questions.
 */
const appendMemoryMs = 5_000;
/** How often an outage that lasts is reported again, in milliseconds. */
const reportIntervalMs = 60_000;

/** A time in which the log cannot be reached, or fails. */
export interface Outage {
  /** When it began, in milliseconds of Unix time. */
  since: number;
  /** The message of the latest failure. */
  error: string;
}

/** Keeps the state of the log for `hub.stats()` and `hub.ready()`. */
export class LogHealth {
  readonly #probe: () => Promise<unknown>;
  readonly #timer = new WakeTimer(() => void this.#ask());
  #outage: Outage | null = null;
  #lastReport = Number.NEGATIVE_INFINITY;
  #lastFailedAppend = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  /** @param probe Asks the log something. Its answer or failure must be reported here, as every other one is. */
  constructor(probe: () => Promise<unknown>) {
    this.#probe = probe;
  }

  /** The present outage, `null` when there is none. */
  get outage(): Outage | null {
    return this.#outage === null ? null : { ...this.#outage };
  }

  /** The log has answered a question. */
  onAnswer(): void {
    if (this.#outage !== null && now() - this.#lastFailedAppend >= appendMemoryMs) this.#end();
  }

  /** The outcomes of appends. One that was rejected, as for a conflict, is an answer. */
  readonly ofAppends: LogObserver = {
    onAnswer: () => {
      if (this.#outage !== null) this.#end();
    },
    onFailure: (error) => {
      if (!(error instanceof SourcecastError) || error.code !== "ERR_SSE_LOG") return;
      this.#lastFailedAppend = now();
      this.onFailure(error);
    },
  };

  /**
   * A question, or the tail, has failed.
   *
   * @returns Whether it is news: the first failure of an outage, or the first one for a minute.
   */
  onFailure(error: unknown): boolean {
    // The log was closed: an end, not a failure.
    if (error instanceof SourcecastError && error.code === "ERR_SSE_CLOSED") return true;
    const message = error instanceof Error ? error.message : String(error);
    const time = now();
    const isFirst = this.#outage === null;
    if (this.#outage === null) this.#outage = { since: Date.now(), error: message };
    else this.#outage.error = message;
    if (!this.#isClosed) this.#timer.set(time + probeIntervalMs);
    const isNews = isFirst || time - this.#lastReport >= reportIntervalMs;
    if (isNews) this.#lastReport = time;
    return isNews;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer.stop();
  }

  #end(): void {
    this.#outage = null;
    this.#timer.stop();
  }

  async #ask(): Promise<void> {
    try {
      await runDetached(() => this.#probe());
    } catch {
      // Reported like the failure of any other question.
    }
    if (this.#outage !== null && !this.#isClosed) this.#timer.set(now() + probeIntervalMs);
  }
}
