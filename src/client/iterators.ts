// Bounded iteration over a stream's events.
import { allow, checkOptions, type OptionChecks, oneOf } from "../base/options.ts";
import { isControlType, type TextEvent } from "./events.ts";

/** The options of `events()` and `batches()`. */
export interface IterationOptions<Type extends string = string> {
  /** Only events of these types. @default all */
  types?: readonly Type[];
  /** Most events that wait for the loop. @default 256 */
  buffer?: number;
  /**
   * The policy for a full buffer: `"wait"` stops reading from the network, `"drop-oldest"` drops and reports a loss
   * of the kind `overflow`, `"latest"` keeps the newest event alone.
   * @default "wait"
   */
  whenFull?: "wait" | "drop-oldest" | "latest";
}

/** The stream that owns a buffer, which the buffer notifies. */
export interface BufferOwner {
  /** A loop that was full has room again. */
  onRoom(): void;
  /** The loop has been left. */
  onLeave(buffer: EventBuffer): void;
  onOverflow(missed: number): void;
}

/** An event that no step of the loop has taken. */
export interface WaitingEvent {
  event: TextEvent;
  /** Counts the events of the stream, so that the loops can be compared. */
  number: number;
  /** The position before the event. */
  before: string;
}

/**
 * The events that wait for one loop. Its reader answers calls of `next()` one after the other. So at most one `take()` waits
 * at any time, and one resolver is enough.
 */
export class EventBuffer {
  readonly #types: ReadonlySet<string> | null;
  readonly #size: number;
  readonly #whenFull: "wait" | "drop-oldest" | "latest";
  readonly #owner: BufferOwner;
  #events: WaitingEvent[] = [];
  #dropped = 0;
  #waiting: ((value?: unknown) => void) | null = null;
  #ended: { error: unknown } | null = null;

  constructor(options: IterationOptions, owner: BufferOwner) {
    checkOptions(options, iterationChecks, "events()");
    const { types, buffer = 256, whenFull = "wait" } = options;
    this.#types = types === undefined ? null : new Set(types);
    this.#size = whenFull === "latest" ? 1 : buffer;
    this.#whenFull = whenFull;
    this.#owner = owner;
  }

  /** True while reading from the network has to wait for this loop. */
  get full(): boolean {
    return this.#whenFull === "wait" && this.#events.length >= this.#size;
  }

  /** The event that has waited longest. */
  get oldest(): WaitingEvent | undefined {
    return this.#events[0];
  }

  /**
   * Adds an event. With the policy `"wait"` a buffer may grow past its size, since a slice of a chunk is parsed to its end:
   * `full` then stops the next read. The other policies make room first, and only `"drop-oldest"` reports it, because a loop
   * over the latest event has asked for the newest alone.
   */
  push(waiting: WaitingEvent): void {
    if (this.#ended !== null || this.#types?.has(waiting.event.type) === false) return;
    if (this.#whenFull !== "wait" && this.#events.length >= this.#size) {
      this.#events.shift();
      if (this.#whenFull === "drop-oldest") this.#drop();
    }
    this.#events.push(waiting);
    this.#wake();
  }

  /** Drops the oldest event of a buffer that is full, as `"drop-oldest"` does. */
  overflow(): void {
    while (this.full) {
      this.#events.shift();
      this.#drop();
    }
  }

  /** Ends the loop after the events that wait; with an error if there was one. */
  end(error: unknown): void {
    this.#ended ??= { error };
    this.#wake();
  }

  /** The loop is left: nothing is kept for it. An error of the stream does not reach it any more. */
  leave(): void {
    this.#ended = { error: undefined };
    this.#events = [];
    this.#owner.onLeave(this);
    this.#wake();
  }

  /**
   * The first of the events that wait, or all of them; `null` at the end. They count as received from here on: `cursor` moves
   * past them while the body of the loop still works on them.
   *
   * @throws The error of a stream that failed, once the events before it are taken.
   */
  async take(all: boolean): Promise<TextEvent[] | null> {
    while (this.#events.length === 0) {
      if (this.#ended !== null) {
        if (this.#ended.error !== undefined) throw this.#ended.error;
        return null;
      }
      await new Promise((resolve) => {
        this.#waiting = resolve;
      });
    }
    // The stream is notified on the change alone. It would otherwise check all of its loops for each event taken.
    const wasFull = this.full;
    // `shift()` leaves the rest where it is. Copies of it made a burst cost the square of its length.
    const taken = all ? this.#events.splice(0) : [this.#events.shift() as WaitingEvent];
    if (wasFull && !this.full) this.#owner.onRoom();
    return taken.map(({ event }) => event);
  }

  #drop(): void {
    if (this.#dropped++ > 0) return;
    // Drops of one burst are one loss.
    queueMicrotask(() => {
      const missed = this.#dropped;
      this.#dropped = 0;
      this.#owner.onOverflow(missed);
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.();
  }
}

/**
 * A loop over single events, or over lists of everything that waits: one promise for a burst, not one for each event.
 *
 * It is a generator that also ends its buffer when it is left before its first step, or while a step waits. A plain one would run
 * no `finally` then, and the buffer would stop the reading of the network for good.
 */
export function iterate<T>(buffer: EventBuffer, inBatches = false): AsyncGenerator<T, void, undefined> {
  const steps = (async function* (): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        const taken = await buffer.take(inBatches);
        if (taken === null) return;
        yield (inBatches ? taken : taken[0]) as T;
      }
    } finally {
      buffer.leave();
    }
  })();
  const { return: end, throw: fail } = steps;
  return Object.assign(steps, {
    return: (): Promise<IteratorResult<T, void>> => {
      buffer.leave();
      return end.call(steps);
    },
    throw: (error: unknown): Promise<IteratorResult<T, void>> => {
      buffer.leave();
      return fail.call(steps, error);
    },
    // Node 22 has none for generators.
    [Symbol.asyncDispose]: async (): Promise<void> => buffer.leave(),
  });
}

const iterationChecks: OptionChecks<IterationOptions> = {
  types: allow(
    "a list of event types",
    (value) =>
      Array.isArray(value) && value.every((type) => typeof type === "string" && type !== "" && !isControlType(type)),
  ),
  buffer: allow("a whole number, one or more", (value) => Number.isSafeInteger(value) && (value as number) >= 1),
  whenFull: oneOf("wait", "drop-oldest", "latest"),
};
