// The functions that an application passes to a run, and the result that it gets: types only.
import type { Pipeable } from "../source/producer.ts";

/** The argument of a producer. */
export interface RunContext {
  /** Aborted when the run is stopped, replaced or taken over. Pass it on to the model's client: it stops the bill. */
  readonly signal: AbortSignal;
  /** The id of the run. */
  readonly runId: string;
}

/** Starts the output of a run: an async iterable, a `ReadableStream` or an array of the protocol's events. */
export type RunProducer = (context: RunContext) => Pipeable<unknown> | Promise<Pipeable<unknown>>;

/** A run that has come to its end. */
export interface FinishedRun {
  /** The id of the chat. */
  readonly chatId: string;
  /** The id of the run. */
  readonly runId: string;
  /** The whole text of the run. */
  readonly text: string;
  /**
   * - `"done"`: the producer came to its end.
   * - `"stopped"`: `stop()` was called.
   * - `"failed"`: the producer failed with `error`.
   * - `"lost"`: the producer's process died, and another one found the run. The text is what was published until then.
   *
   * A process that finds the run of one that died while it called `onFinish` repeats that call, with its outcome.
   */
  readonly outcome: "done" | "stopped" | "failed" | "lost";
  /** Why the producer failed. */
  readonly error?: unknown;
}
