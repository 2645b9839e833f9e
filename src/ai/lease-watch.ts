// Runs whose producer may have died. A process that comes across a run of another process watches it, and ends it when it has
// shown no sign of life for a lease. The time is the watcher's own, so no clocks are compared.
import { now, WakeTimer } from "../base/clock.ts";
import { SourcecastError } from "../base/errors.ts";
import type { HubInternals } from "../hub/internals.ts";
import { headPosition } from "../wire/cursor.ts";
import type { Chat, ElectedRun } from "./chat.ts";
import type { WrittenEvent } from "./gather.ts";
import { endMarker, isConflict } from "./run-writer.ts";

/** The part of the runs that a watch uses. */
export interface WatchContext {
  readonly hub: HubInternals;
  /** Whether a run without any sign of life ends, too. A run that has yet to begin has none. */
  readonly endsUnstarted: boolean;
  /** The events that tell a reader that the run is lost: one at least. */
  lostEvents(): readonly WrittenEvent[];
  /** Called after the producer has been fenced off, before the run ends. */
  onLost(chatId: string, run: ElectedRun): Promise<void>;
  onError(error: unknown): void;
}

/** Watches runs, each once. */
export class LeaseWatch {
  readonly #context: WatchContext;
  /** The runs that are watched, with what ends the pause under way. */
  readonly #watched = new Map<string, () => void>();
  #isOpen = true;

  constructor(context: WatchContext) {
    this.#context = context;
  }

  /** Watches a run until it is over. A watch that begins waits one lease at least. */
  watch(chatId: string, chat: Chat, run: ElectedRun): void {
    if (this.#watched.has(run.run)) return;
    this.#watched.set(run.run, () => {});
    void this.#watch(chatId, chat, run).finally(() => this.#watched.delete(run.run));
  }

  /** Ends all watches. A run whose process dies is found by the next process that comes across it. */
  close(): void {
    this.#isOpen = false;
    for (const wake of this.#watched.values()) wake();
  }

  async #watch(chatId: string, chat: Chat, run: ElectedRun): Promise<void> {
    for (let seen: number | undefined; this.#isOpen; await this.#pause(run)) {
      try {
        const sign = await chat.lastSign(run);
        if (sign === null) return;
        const mayEnd = sign > 0 || this.#context.endsUnstarted;
        if (sign === seen && mayEnd && this.#isOpen && (await this.#end(chatId, chat, run, sign))) return;
        seen = sign;
      } catch (error) {
        // A log that cannot be read says nothing about the producer: the lease begins again.
        seen = undefined;
        if (isClosed(error)) return;
        this.#context.onError(error);
      }
    }
  }

  /**
   * Ends a run without a sign of life since `seen`. Its producer is fenced off first: its next append conflicts.
   *
   * @returns Whether the run is over.
   */
  async #end(chatId: string, chat: Chat, run: ElectedRun, seen: number): Promise<boolean> {
    const { log } = this.#context.hub;
    const after = headPosition(await log.head());
    if ((await chat.lastSign(run)) !== seen) return false;
    const [newest] = await log.last(1, { channels: [run.channel], prefixes: [] });
    const events = this.#context.lostEvents();
    try {
      // The process that watched before may have died after this append.
      if (!isSame(newest, events.at(-1))) {
        const entries = events.map((event) => ({ channel: run.channel, ...event }));
        await log.append(entries.map((entry, index) => (index === 0 ? { ...entry, after } : entry)));
      }
      // A callback that fails once may fail forever: the run has to end nevertheless.
      await this.#context.onLost(chatId, run).catch((error) => this.#context.onError(error));
      await log.append([endMarker(run.channel)]);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }

  /** Resolves after a lease, or when the watch is closed. */
  #pause({ run, lease }: ElectedRun): Promise<void> {
    if (!this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = new WakeTimer(() => resolve());
      timer.set(now() + lease);
      this.#watched.set(run, () => {
        timer.stop();
        resolve();
      });
    });
  }
}

/** The hub was closed, and its log with it. */
function isClosed(error: unknown): boolean {
  return error instanceof SourcecastError && error.code === "ERR_SSE_CLOSED";
}

function isSame(entry: WrittenEvent | undefined, event: WrittenEvent | undefined): boolean {
  return entry !== undefined && entry.type === event?.type && entry.data === event.data;
}
