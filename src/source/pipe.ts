// Piping: the pieces of a producer become events, at the pace of the reader.
import { quote } from "../base/errors.ts";
import { aFunction, aGroup, aName, anything, aSignal, checkOptions, type OptionChecks } from "../base/options.ts";
import { type TextOf, textOf, withheld } from "./piece-text.ts";
import { assertPipeable, openProducer, type Pipeable, type Producer } from "./producer.ts";

export type { Pipeable };

/** The options of `pipe`. */
export interface PipeOptions<T = unknown, Type extends string = string> {
  /** The type of the events. @default "message" */
  type?: Type;
  /**
   * Maps a piece to the data of its event. Without it, bytes in a view or a buffer are decoded as UTF-8.
   * @default the piece itself
   */
  map?: (piece: T) => unknown;
  /** An event to send after the last piece: its type, or its type and data. @default none */
  end?: Type | { type: Type; data?: unknown };
  /** Stops the pipe when it is aborted; the source stays open. @default none */
  signal?: AbortSignal;
}

/** The checks of {@link PipeOptions}. */
export const pipeChecks: OptionChecks<PipeOptions> = {
  type: aName,
  map: aFunction,
  end: (value, name) => {
    if (typeof value === "string") return aName(value, name);
    aGroup(endChecks)(value, name);
    aName((value as { type?: unknown }).type, `${name}.type`);
  },
  signal: aSignal,
};

const endChecks: OptionChecks<{ type: string; data?: unknown }> = { type: aName, data: anything };

/**
 * How a `pipe` ended: `"done"` with the last piece, `"closed"` because the source was closed or the client left, with its
 * `reason`, `"aborted"` by the signal, `"failed"` because the producer threw `error`. `events` were sent.
 */
export type PipeResult =
  | { ended: "done"; events: number }
  | { ended: "closed"; events: number; reason: string }
  | { ended: "aborted"; events: number; reason: unknown }
  | { ended: "failed"; events: number; error: unknown };

/** The target of a pipe. */
export interface PipeTarget {
  dispatch(type: string, data: unknown): boolean | Promise<boolean>;
  /** Resolves when the reader has room; at once when it has. */
  ready(): Promise<void> | undefined;
  readonly signal: AbortSignal;
  readonly closeReason: string | null;
}

/** Stands for the end that came from this side during a wait for the producer. */
const interrupted = Symbol("interrupted");

/**
 * Sends pieces one by one, and requests the next only when the reader has room. Stops the producer as soon as the reader has
 * disconnected, also while waiting for a piece. Rejects only for a value that cannot be piped.
 */
export async function pipe<T>(
  pieces: Pipeable<T>,
  target: PipeTarget,
  options: PipeOptions<T> = {},
): Promise<PipeResult> {
  checkOptions(options, pipeChecks, "pipe()");
  assertPipeable(pieces);
  const { type = "message", map, end, signal } = options;
  const toText = map ?? textOf();
  const interruption = new Interruption(target.signal, signal);
  let events = 0;
  let producer: Producer<T> | undefined;
  try {
    producer = openProducer(pieces);
    for (;;) {
      const full = target.ready();
      if (full !== undefined) await interruption.wait(full);
      const result = interruption.fired ? interrupted : await interruption.wait(producer.next());
      if (result === interrupted) return interruptedResult(target, signal, events);
      if (typeof result !== "object" || result === null)
        throw new TypeError(`The producer returned ${quote(result)}, which is not the result of an iterator`);
      if (result.done) break;
      if (!(await send(type, toText(result.value)))) return interruptedResult(target, signal, events);
    }
    const rest = map === undefined ? (toText as TextOf).rest() : "";
    if (rest !== "") await send(type, rest);
    if (typeof end === "string") await target.dispatch(end, undefined);
    else if (end !== undefined) await target.dispatch(end.type, end.data);
    producer.finished();
    return { ended: "done", events };
  } catch (error) {
    return { ended: "failed", events, error };
  } finally {
    interruption.release();
    producer?.stop();
  }

  async function send(eventType: string, data: unknown): Promise<boolean> {
    if (data === withheld) return true;
    if (await target.dispatch(eventType, data)) events++;
    return target.closeReason === null;
  }
}

function interruptedResult(target: PipeTarget, signal: AbortSignal | undefined, events: number): PipeResult {
  if (target.closeReason !== null) return { ended: "closed", events, reason: target.closeReason };
  return { ended: "aborted", events, reason: signal?.reason };
}

/**
 * Lets an abort end a wait. One slot for the wait under way, since racing every wait against one lasting promise would
 * keep a reaction for each piece.
 */
class Interruption {
  fired = false;
  readonly #signals: readonly (AbortSignal | undefined)[];
  #endWait: (() => void) | null = null;

  constructor(...signals: (AbortSignal | undefined)[]) {
    this.#signals = signals;
    for (const signal of signals) {
      if (signal?.aborted) this.fired = true;
      else signal?.addEventListener("abort", this);
    }
  }

  handleEvent(): void {
    this.fired = true;
    this.#endWait?.();
  }

  wait<T>(promise: Promise<T>): Promise<T | typeof interrupted> {
    return new Promise((resolve, reject) => {
      if (this.fired) resolve(interrupted);
      this.#endWait = () => resolve(interrupted);
      promise.then(resolve, reject);
    });
  }

  release(): void {
    for (const signal of this.#signals) signal?.removeEventListener("abort", this);
  }
}
