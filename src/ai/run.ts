// One run in the process that produces it: the pieces of the producer become entries of the run's channel.
import { now, WakeTimer } from "../base/clock.ts";
import { SourcecastError } from "../base/errors.ts";
import { Pace } from "../base/pace.ts";
import type { Position } from "../log/log.ts";
import { textOf, withheld } from "../source/piece-text.ts";
import { assertPipeable, openProducer, type Pipeable, type Producer } from "../source/producer.ts";
import { Beats } from "./beats.ts";
import { callOnFinish, type FinishContext } from "./finish.ts";
import { Gather, type WrittenEvent } from "./gather.ts";
import type { FinishedRun, RunContext, RunProducer } from "./producer.ts";
import type { RunProtocol } from "./protocol.ts";
import { FencedError, takenOver } from "./run-writer.ts";
import { WaitLimit } from "./wait-limit.ts";

/** The options of {@link Run}. */
export interface RunSettings extends FinishContext {
  readonly chatId: string;
  /** Its first sign of life. */
  readonly sign: Position | undefined;
  readonly protocol: RunProtocol;
  /** Milliseconds in which deltas are collected. */
  readonly gatherMs: number;
  /** Milliseconds that the producer may be idle. */
  readonly idleMs: number;
  /** The events by which readers learn of an outcome. */
  declare(outcome: FinishedRun["outcome"], error: unknown): WrittenEvent[];
}

/** Why a run ends before its producer does. */
type Interruption =
  | { readonly outcome: "stopped" }
  | { readonly outcome: "failed"; readonly error: unknown; readonly isExpected?: boolean }
  | { readonly outcome: "fenced"; readonly error: unknown; readonly isExpected?: boolean };

/** Most characters of one merged event, and most that wait for the log before the producer has to wait too. */
const maxEventLength = 65_536;
const maxWaiting = 262_144;

/** The error of a producer that has been idle for too long. */
function idleError(idleMs: number): SourcecastError {
  return new SourcecastError(
    "ERR_SSE_TIMEOUT",
    `The producer has been idle for ${idleMs} ms; make it yield sooner, or raise the option idleTimeout`,
  );
}

/** A run under way, in the process that produces it. */
export class Run {
  /** Resolves when the run is over, with whether this process has ended its channel: otherwise another one has to. Never rejects. */
  readonly finished: Promise<boolean>;
  readonly #settings: RunSettings;
  readonly #gather: Gather;
  readonly #abort = new AbortController();
  #interruption: Interruption | null = null;
  /** Ends the wait that is under way, at an interruption. */
  #wake: (() => void) | null = null;
  readonly #beats: Beats;
  readonly #patience: WaitLimit;
  #text = "";
  #flushing: Promise<void> | null = null;
  #endWindow: (() => void) | null = null;
  #onRoom: (() => void) | null = null;
  /** An event could not be appended: those after it would leave a hole. */
  #isBroken = false;
  /** Nothing more will come, so nothing is collected. */
  #isEnding = false;

  /** @param produce `null` for a run that was stopped before it started. */
  constructor(settings: RunSettings, produce: RunProducer | null) {
    this.#settings = settings;
    this.#gather = new Gather(settings.gatherMs > 0 ? settings.protocol.merge : null, maxEventLength);
    const { chat, elected, sign, idleMs } = settings;
    this.#beats = new Beats(chat, elected, {
      after: sign,
      isDue: (time, interval) => this.#isQuiet(time, interval),
      onFenced: () => this.#interrupt({ outcome: "fenced", error: new FencedError(takenOver) }),
    });
    this.#patience = new WaitLimit(idleMs, () => this.fail(idleError(idleMs)));
    this.finished = this.#run(produce);
  }

  /** Stops the producer. Its output so far stays. */
  stop(): void {
    this.#interrupt({ outcome: "stopped" });
  }

  /** Ends the run with an error that the application has caused itself, by closing: it is not reported. */
  close(error: unknown): void {
    this.#interrupt({ outcome: "failed", error, isExpected: true });
  }

  /** Ends the run with an error. */
  fail(error: unknown): void {
    this.#interrupt({ outcome: "failed", error });
  }

  /** Stops the producer and publishes nothing more: the chat was deleted, or has another run. */
  giveUp(error: unknown): void {
    this.#interrupt({ outcome: "fenced", error, isExpected: true });
  }

  #interrupt(interruption: Interruption): void {
    if (this.#interruption !== null) return;
    this.#interruption = interruption;
    this.#abort.abort(interruption.outcome === "stopped" ? undefined : interruption.error);
    this.#wake?.();
  }

  async #run(produce: RunProducer | null): Promise<boolean> {
    try {
      if (produce === null) this.stop();
      else await this.#produce(produce);
      return await this.#end();
    } catch (error) {
      const isExpected = error instanceof FencedError && (await this.#isSuperseded());
      if (!isExpected) this.#settings.onError(error);
      return false;
    } finally {
      this.#beats.stop();
      this.#patience.stop();
    }
  }

  /** Whether nothing was published for a while, or all of it: then readers and watchers have no other sign of life. */
  #isQuiet(time: number, interval: number): boolean {
    return this.#isEnding || time - this.#settings.writer.appendedAt >= interval;
  }

  async #produce(produce: RunProducer): Promise<void> {
    let producer: Producer<unknown> | null = null;
    try {
      const context: RunContext = { signal: this.#abort.signal, runId: this.#settings.elected.run };
      const opening = (async () => produce(context))();
      const pieces = await this.#ask(() => opening);
      if (pieces === null) return stopLate(opening);
      assertPipeable(pieces.value);
      producer = openProducer(pieces.value);
      await this.#readAll(producer);
    } catch (error) {
      this.fail(error);
    } finally {
      producer?.stop();
    }
  }

  async #readAll(producer: Producer<unknown>): Promise<void> {
    const toText = textOf();
    const pace = new Pace();
    for (;;) {
      const result = await this.#ask(() => producer.next());
      if (result === null) return;
      if (result.value.done) break;
      this.#add(toText(result.value.value));
      if (this.#gather.size > maxWaiting) await this.#room();
      const turn = pace.ready();
      if (turn !== undefined) await turn;
    }
    this.#add(toText.rest());
    producer.finished();
  }

  #add(piece: unknown): void {
    if (piece === withheld || piece === "" || this.#isBroken) return;
    const { protocol } = this.#settings;
    const event = protocol.encode(piece);
    if (event === null) return;
    this.#gather.add(event);
    this.#text += protocol.textOf(event);
    this.#flushing ??= this.#flush();
  }

  /** Appends what waits until nothing does: the first event at once, then one window after the other. */
  async #flush(): Promise<void> {
    const { writer, gatherMs } = this.#settings;
    try {
      while (!this.#gather.isEmpty) {
        await writer.append(this.#gather.take());
        this.#onRoom?.();
        if (gatherMs > 0 && !this.#isEnding) await this.#window(gatherMs);
      }
    } catch (error) {
      this.#isBroken = true;
      this.#gather.take();
      this.#interrupt({ outcome: error instanceof FencedError ? "fenced" : "failed", error });
    } finally {
      this.#flushing = null;
      this.#onRoom?.();
    }
  }

  /** Resolves after the time in which deltas are collected, or when nothing more will come. The process stays alive for it. */
  #window(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = new WakeTimer(() => resolve(), true);
      timer.set(now() + ms);
      this.#endWindow = () => {
        timer.stop();
        resolve();
      };
    });
  }

  /** Resolves after the append that is under way, or at an interruption. */
  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRoom = resolve;
      this.#wake = resolve;
    });
  }

  /**
   * Publishes the rest, then calls `onFinish`, then ends the channel. A process that finds the run ended finds its text stored,
   * or an end that says that it is not.
   *
   * @returns Whether the channel has ended.
   */
  async #end(): Promise<boolean> {
    const { chatId, chat, elected, writer, declare, onError } = this.#settings;
    this.#isEnding = true;
    await this.#flushRest();
    const interruption = this.#interruption;
    if (interruption?.outcome === "fenced") {
      if (interruption.isExpected !== true && !(await this.#isSuperseded())) onError(interruption.error);
      return false;
    }
    if (interruption?.outcome === "failed" && interruption.isExpected !== true) onError(interruption.error);
    const { outcome = "done" } = interruption ?? {};
    const failure = interruption?.outcome === "failed" ? { error: interruption.error } : {};
    const finished: FinishedRun = { chatId, runId: elected.run, text: this.#text, outcome, ...failure };
    const finishError = await callOnFinish(this.#settings, finished, this.#beats);
    const last = finishError === null ? outcome : "failed";
    // A request that is repeated after a failure starts another run, unless the log fails now.
    if (last === "failed") await chat.beat(elected.run, last).catch(() => {});
    const end = finishError === null ? "stored" : "unstored";
    await writer.append(declare(last, finishError?.value ?? finished.error), end);
    return true;
  }

  /** Whether the chat was deleted, or has another run: then nothing has failed. */
  async #isSuperseded(): Promise<boolean> {
    const { chat, elected } = this.#settings;
    try {
      return await chat.isSuperseded(elected.run);
    } catch {
      return false;
    }
  }

  async #flushRest(): Promise<void> {
    do {
      this.#endWindow?.();
      await (this.#flushing ?? (this.#gather.isEmpty ? undefined : this.#flush()));
    } while (!this.#gather.isEmpty && this.#interruption?.outcome !== "fenced");
  }

  /** Asks the producer for something. `null` when the run is interrupted first: a late answer is ignored. */
  #ask<T>(work: () => T | Promise<T>): Promise<{ value: T } | null> {
    if (this.#interruption !== null) return Promise.resolve(null);
    this.#patience.begin();
    return new Promise<{ value: T } | null>((resolve, reject) => {
      this.#wake = () => resolve(null);
      Promise.resolve(work()).then((value) => resolve({ value }), reject);
    }).finally(() => this.#patience.end());
  }
}

/** Stops a producer that was interrupted before it had begun, when it begins. */
function stopLate(opening: Promise<Pipeable<unknown>>): void {
  // Whatever else it returns, or throws, comes too late to matter.
  opening.then((pieces) => openProducer(pieces).stop()).catch(() => {});
}
