// Gathering: deltas of one part that come close together become one event.
import { serialize } from "../wire/encode.ts";
import type { RunEvent, RunProtocol } from "./protocol.ts";

/** An event as the log stores it. */
export interface WrittenEvent {
  readonly type: string;
  readonly data: string;
}

/**
 * Events that wait to be appended. One event of the protocol is one entry of the log, so a lost connection repeats
 * nothing.
 */
export class Gather {
  readonly #merge: RunProtocol["merge"] | null;
  readonly #maxSize: number;
  #events: RunEvent[] = [];
  /** Characters of the event that grows, about. */
  #lastSize = 0;
  #size = 0;

  /**
   * @param merge `null` to keep every event apart. @param maxSize The approximate number of characters that a merged
   * event may have.
   */
  constructor(merge: RunProtocol["merge"] | null, maxSize: number) {
    this.#merge = merge;
    this.#maxSize = maxSize;
  }

  /** Characters that wait, about. */
  get size(): number {
    return this.#size;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#events.length === 0;
  }

  /** @throws {SourcecastTypeError} `ERR_SSE_DATA` for data that cannot be serialized. */
  add(event: RunEvent): void {
    // A copy: what cannot be written is the fault of this piece, and a producer may use its object again.
    const { data } = written(event);
    const size = data.length;
    const own = typeof event.data === "string" ? event : { type: event.type, data: JSON.parse(data) as unknown };
    const last = this.#events.at(-1);
    const merged = last && this.#lastSize + size <= this.#maxSize ? (this.#merge?.(last, own) ?? null) : null;
    if (merged === null) this.#events.push(own);
    else this.#events[this.#events.length - 1] = merged;
    this.#lastSize = merged === null ? size : this.#lastSize + size;
    this.#size += size;
  }

  /** Takes the events that wait. */
  take(): WrittenEvent[] {
    const events = this.#events.map(written);
    this.#events = [];
    this.#size = 0;
    return events;
  }
}

/** The event as the log stores it. */
export function written({ type, data }: RunEvent): WrittenEvent {
  return { type, data: serialize(data) };
}
