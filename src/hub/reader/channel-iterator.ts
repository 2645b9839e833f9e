// A reader as an async iterator, and as calls of a listener.
import { aFunction, allow, aSignal, checkOption, checkOptions, type OptionChecks } from "../../base/options.ts";
import { isWorkers } from "../../base/runtime.ts";
import type { ChannelSelection } from "../../log/log.ts";
import type { AnyContract } from "../../wire/contract.ts";
import { parseCursor } from "../../wire/cursor.ts";
import { parseFrom } from "../selection.ts";
import type { ReaderContext, ReadOrigin } from "./context.ts";
import { type AnyReadEvent, readEntry, readLoss } from "./read-event.ts";
import type { ReadItem } from "./read-item.ts";
import { Reader } from "./reader.ts";

/** The options of `channel.read()` and `channel.subscribe()`. */
export interface ReadOptions {
  /**
   * The cursor to continue after. Events that the log no longer has are yielded as a loss. So is a string that is not a cursor,
   * since it may come from a client. An empty string, `null` and `undefined` stand for none. @default none
   */
  after?: string | null | undefined;
  /**
   * Where a reader without `after` begins: `"now"`, with the oldest retained event (`"start"`), or after a cursor of the
   * application. @default "now"
   */
  from?: "now" | "start" | (string & {});
  /** Ends the reading when it is aborted. @default none */
  signal?: AbortSignal | undefined;
}

/** The longest time that a timer can wait, in 31 bits. */
const longestTimerMs = 2_147_483_647;

/**
 * The events of a channel. The calls of `next()` are answered in their order. `return()` ends the reading at once, even while a
 * call waits for an event: a server has to be able to end the iteration of a client that has left.
 */
export class ChannelIterator implements AsyncIterableIterator<AnyReadEvent, undefined> {
  readonly #reader: Reader;
  readonly #name: string;
  readonly #contract: AnyContract | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#close();
  /** Whether the process stays alive while a call waits. */
  readonly #keepsAlive: boolean;
  /** The last call: the reader takes one entry at a time, and must not be asked twice at once. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(target: ReadTarget, options: ReadOptions, keepsAlive: boolean) {
    const { name, selection, context, contract } = target;
    this.#reader = new Reader(selection, originOf(options), context);
    this.#name = name;
    this.#contract = contract;
    this.#signal = options.signal ?? undefined;
    this.#keepsAlive = keepsAlive;
    if (this.#signal?.aborted) this.#reader.close();
    else this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  next(): Promise<IteratorResult<AnyReadEvent, undefined>> {
    const result = this.#last.then(() => this.#take());
    // A failed call is reported to its caller, and the next call tries again.
    this.#last = result.catch(() => {});
    return result;
  }

  /** Called by `break`, and by servers of other protocols when their client has left. A waiting call ends, too. */
  return(): Promise<IteratorReturnResult<undefined>> {
    this.#close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
  }

  async #take(): Promise<IteratorResult<AnyReadEvent, undefined>> {
    // Nothing else keeps the process alive: the tail must not, and a promise does not.
    const timer = this.#keepsAlive && !isWorkers ? setInterval(() => {}, longestTimerMs) : undefined;
    try {
      const item = await this.#reader.take();
      if (item !== null) return { done: false, value: this.#eventOf(item) };
      this.#close();
      return { done: true, value: undefined };
    } finally {
      clearInterval(timer);
    }
  }

  #eventOf(item: ReadItem): AnyReadEvent {
    if ("entry" in item) return readEntry(item.epoch, item.entry, this.#contract);
    return readLoss(item.kind, item.loss, item.position, this.#name);
  }

  /** The signal may live as long as the application: its listener must not keep the reader. */
  #close(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#reader.close();
  }
}

/** Checks the options of a reader. `caller` names the public function in the errors. */
export function checkReadOptions(options: ReadOptions | undefined, caller: string): void {
  checkOptions(options, readChecks, caller);
  parseFrom(options?.from);
}

/** @throws {SourcecastTypeError} for anything but a function. */
export function checkListener(listener: unknown): void {
  checkOption(listener ?? null, aFunction, "listener");
}

/** A position of the reader's own wins over the one that the application gives to those without. */
function originOf({ after, from }: ReadOptions): ReadOrigin {
  return after ? (parseCursor(after) ?? "unreadable") : parseFrom(from);
}

const readChecks: OptionChecks<ReadOptions> = {
  after: allow("a cursor, or null", (value) => typeof value === "string" || value === null),
  from: allow('"now", "start" or a cursor', (value) => typeof value === "string"),
  signal: aSignal,
};

/** A channel or prefix, and the parts of its hub that read it. */
export interface ReadTarget {
  readonly name: string;
  readonly selection: ChannelSelection;
  readonly contract: AnyContract | undefined;
  readonly context: ReaderContext;
}
