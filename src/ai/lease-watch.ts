// Runs whose producer may have died. A process that comes across a run of another process watches it, and completes it when it
// has shown no sign of life for a lease. The time is the watcher's own, so no clocks are compared. The signs arrive with the
// tail of the hub, so the log is asked only about a run that was quiet for a lease.
import { SourcecastError } from "../base/errors.ts";
import type { HubInternals } from "../hub/internals.ts";
import { headPosition } from "../wire/cursor.ts";
import { Beats } from "./beats.ts";
import type { Chat, ElectedRun } from "./chat.ts";
import type { WrittenEvent } from "./gather.ts";
import type { FinishedRun } from "./producer.ts";
import { Quiet } from "./quiet.ts";
import { endMarker, isConflict, type RunEnd } from "./run-writer.ts";

/** The part of the runs that a watch uses. */
export interface WatchContext {
  readonly hub: HubInternals;
  /** Whether a run without any sign of life ends, too. A run that has yet to begin has none. */
  readonly endsUnstarted: boolean;
  /**
   * The events by which readers learn of an outcome: for `"lost"` one at least, since they fence off the producer.
   *
   * @param error Why the run has failed, if not by the death of its process.
   */
  declare(outcome: FinishedRun["outcome"], error?: unknown): readonly WrittenEvent[];
  /** Called before the run ends. Its producer may have called it already, and have died then. */
  onFinish(chatId: string, run: ElectedRun, outcome: FinishedRun["outcome"]): Promise<void>;
  onError(error: unknown): void;
}

/** Watches runs, each once. */
export class LeaseWatch {
  readonly #context: WatchContext;
  /** The runs that are watched, with the function that ends the pause under way. */
  readonly #watched = new Map<string, Quiet>();
  #isOpen = true;

  constructor(context: WatchContext) {
    this.#context = context;
  }

  /** Watches a run until it is over. A watch that begins waits one lease at least. */
  watch(chatId: string, chat: Chat, run: ElectedRun): void {
    if (this.#watched.has(run.run)) return;
    const quiet = new Quiet(this.#context.hub, chat, run);
    this.#watched.set(run.run, quiet);
    void this.#watch(chatId, chat, run, quiet).finally(() => {
      quiet.close();
      this.#watched.delete(run.run);
    });
  }

  /** Ends all watches. A run whose process dies is found by the next process that comes across it. */
  close(): void {
    this.#isOpen = false;
    for (const quiet of this.#watched.values()) quiet.close();
  }

  async #watch(chatId: string, chat: Chat, run: ElectedRun, quiet: Quiet): Promise<void> {
    for (; this.#isOpen; await quiet.lease()) {
      const seen = quiet.offset;
      try {
        const { isOver, offset } = await chat.signs(run);
        if (isOver) return;
        const mayEnd = offset > 0 || this.#context.endsUnstarted;
        if (offset === seen && mayEnd && this.#isOpen && (await this.#complete(chatId, chat, run, offset))) return;
        quiet.begin(offset);
      } catch (error) {
        // A log that cannot be read says nothing about the producer: the lease begins again.
        quiet.begin(undefined);
        if (isClosed(error)) return;
        this.#context.onError(error);
      }
    }
  }

  /**
   * Completes a run without a sign of life since `seen`: as lost, or as the process wanted that has died while it called
   * `onFinish`. The claim comes first. It fences off the producer, and other watchers.
   *
   * @returns Whether the run is over.
   */
  async #complete(chatId: string, chat: Chat, run: ElectedRun, seen: number): Promise<boolean> {
    const { hub, declare, onFinish, onError } = this.#context;
    const head = headPosition(await hub.log.head());
    const signs = await chat.signs(run);
    if (signs.isOver || signs.offset !== seen) return signs.isOver;
    const outcome = signs.outcome ?? "lost";
    try {
      const after = await chat.claim(run, outcome, head, signs.outcome === null ? declare("lost") : []);
      const beats = new Beats(chat, run, { outcome, after });
      // A callback that fails once may fail forever: the run has to end nevertheless.
      let events = outcome === "lost" ? [] : declare(outcome);
      let end: RunEnd = "stored";
      try {
        await onFinish(chatId, run, outcome);
      } catch (error) {
        onError(error);
        if (outcome !== "lost") events = declare("failed", error);
        end = "unstored";
      } finally {
        beats.stop();
      }
      const entries = [...events.map((event) => ({ channel: run.channel, ...event })), endMarker(run.channel, end)];
      await hub.log.append(entries.map((entry) => ({ ...entry, after })));
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }
}

/** The hub was closed, and its log with it. */
function isClosed(error: unknown): boolean {
  return error instanceof SourcecastError && error.code === "ERR_SSE_CLOSED";
}
