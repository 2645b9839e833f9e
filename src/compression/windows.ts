// The context in which groups compress: the latest bytes that their readers have.

/**
 * How far an event may refer back, in bytes. For each event, zlib indexes the whole context, which is most of the cost
 * of an event: on Node 24, an event of 96 B takes 15 µs and 29 B on the wire with 8 kB of context, 32 µs and 28 B with
 * 16 kB, 50 µs and 28 B with 32 kB; one of 519 B takes 22, 35 and 53 µs, and 147, 137 and 128 B.
 */
const windowBytes = 16 * 1024;

/** How many groups have a context at the same time. It bounds the memory: 16 MB for all groups together. */
export const maxWindows = 1_024;

/** The latest bytes of a sequence. */
export class Window {
  readonly #buffer = new Uint8Array(windowBytes);
  #end = 0;

  /** The latest bytes. Valid until the next `append`. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#end);
  }

  append(bytes: Uint8Array): void {
    const added = bytes.length > windowBytes ? bytes.subarray(-windowBytes) : bytes;
    const kept = Math.min(this.#end, windowBytes - added.length);
    if (kept < this.#end) this.#buffer.copyWithin(0, this.#end - kept, this.#end);
    this.#buffer.set(added, kept);
    this.#end = kept + added.length;
  }

  clear(): void {
    this.#end = 0;
  }
}

/**
 * The windows of all groups. The group that has not compressed for the longest time loses its window when there are too many:
 * its next event is compressed without a context, which every reader can read.
 */
export class Windows {
  /** In the order of their last use. */
  readonly #windows = new Map<object, Window>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#windows.size;
  }

  /** Whether a group has a context. */
  has(group: object): boolean {
    return this.#windows.has(group);
  }

  /** The window of a group, for the bytes that it is about to send; a new one is empty. */
  use(group: object): Window {
    const window = this.#windows.get(group) ?? new Window();
    this.#windows.delete(group);
    this.#windows.set(group, window);
    if (this.#windows.size > this.#max) this.#windows.delete(this.#windows.keys().next().value as object);
    return window;
  }

  release(group: object): void {
    this.#windows.delete(group);
  }
}

/** The windows of this process. */
export const windows: Windows = new Windows(maxWindows);
