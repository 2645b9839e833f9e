// Bounded iteration over a stream's events.
import { allow, checkOptions, type OptionChecks } from "../base/options.ts";
import type { TextEvent } from "./events.ts";

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
  /** The loop has been left, or the buffer has room again. */
  onRoom(buffer: EventBuffer): void;
  onLeave(buffer: EventBuffer): void;
  onOverflow(missed: number): void;
}

/**
 * The events that wait for one loop. Its reader is an async generator, which answers calls of `next()` one after the other.
 * So at most one `take()` waits at any time, and one resolver is enough.
 */
export class EventBuffer {
  /** The event that the loop took last, or the position at which it began. */
  lastEventId: string;
  readonly #types: ReadonlySet<string> | null;
  readonly #size: number;
  readonly #whenFull: "wait" | "drop-oldest" | "latest";
  readonly #owner: BufferOwner;
  #events: TextEvent[] = [];
  #dropped = 0;
  #waiting: ((value?: unknown) => void) | null = null;
  #ended: { error: unknown } | null = null;

  constructor(options: IterationOptions, lastEventId: string, owner: BufferOwner) {
    checkOptions(options, iterationChecks, "events()");
    const { types, buffer = 256, whenFull = "wait" } = options;
    this.#types = types === undefined ? null : new Set(types);
    this.#size = whenFull === "latest" ? 1 : buffer;
    this.#whenFull = whenFull;
    this.lastEventId = lastEventId;
    this.#owner = owner;
  }

  /** True while reading from the network has to wait for this loop. */
  get full(): boolean {
    return this.#whenFull === "wait" && this.#events.length >= this.#size;
  }

  /** True while an event waits for the loop. */
  get pending(): boolean {
    return this.#events.length > 0;
  }

  /**
   * Adds an event. With the policy `"wait"` a buffer may grow past its size, since a chunk that was read is parsed to its end:
   * `full` then stops the next read. The other policies make room first, and only `"drop-oldest"` reports it, because a loop
   * over the latest event has asked for the newest alone.
   */
  push(event: TextEvent): void {
    if (this.#ended !== null || this.#types?.has(event.type) === false) return;
    if (this.#whenFull !== "wait" && this.#events.length >= this.#size) {
      this.#events.shift();
      if (this.#whenFull === "drop-oldest") this.#drop();
    }
    this.#events.push(event);
    this.#wake();
  }

  /**
   * Ends the loop after the events that wait; with an error if there was one. The first end counts: a loop that was left does
   * not throw the error of a stream that fails later.
   */
  end(error: unknown): void {
    this.#ended ??= { error };
    this.#wake();
  }

  /** The loop is left: nothing is kept for it any more. */
  leave(): void {
    this.#ended ??= { error: undefined };
    this.#events = [];
    this.#owner.onLeave(this);
  }

  /**
   * Up to `most` of the events that wait, at least one; `null` at the end. They count as received from here on: `cursor` moves
   * past them while the body of the loop still works on them.
   *
   * @throws The error of a stream that failed, once the events before it are taken.
   */
  async take(most: number): Promise<TextEvent[] | null> {
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
    const taken = this.#events.length <= most ? this.#events : this.#events.slice(0, most);
    this.#events = this.#events.length <= most ? [] : this.#events.slice(most);
    this.lastEventId = (taken.at(-1) as TextEvent).lastEventId;
    if (wasFull && !this.full) this.#owner.onRoom(this);
    return taken;
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

/** A loop over single events. Leaving it ends its buffer. */
export async function* iterate<T>(buffer: EventBuffer): AsyncGenerator<T, void, undefined> {
  try {
    for (;;) {
      const taken = await buffer.take(1);
      if (taken === null) return;
      yield taken[0] as T;
    }
  } finally {
    buffer.leave();
  }
}

/** A loop over everything that waits at a time: one promise for a burst, not one for each event. */
export async function* iterateBatches<T>(buffer: EventBuffer): AsyncGenerator<T[], void, undefined> {
  try {
    for (;;) {
      const taken = await buffer.take(Number.POSITIVE_INFINITY);
      if (taken === null) return;
      yield taken as T[];
    }
  } finally {
    buffer.leave();
  }
}

const policies = ["wait", "drop-oldest", "latest"];

const iterationChecks: OptionChecks<IterationOptions> = {
  types: allow(
    "a list of event types",
    (value) => Array.isArray(value) && value.every((type) => typeof type === "string"),
  ),
  buffer: allow("a whole number, one or more", (value) => Number.isSafeInteger(value) && (value as number) >= 1),
  whenFull: allow('"wait", "drop-oldest" or "latest"', (value) => policies.includes(value as string)),
};
