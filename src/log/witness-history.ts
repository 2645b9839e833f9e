// Witnesses that outlive their entries, 4 bytes for each, so that a client that was away can be verified.
import { now } from "../base/clock.ts";

/** Most witnesses of one history: 16 MB. */
const maxWitnesses = 4 * 1024 ** 2;
const firstChunkWitnesses = 256;
const maxChunkWitnesses = 16_384;

/**
 * The witnesses of consecutive entries that retention has removed. A log adds each as it trims the entry, and can then
 * verify the cursors of clients that were away for less than the age.
 */
export class WitnessHistory {
  readonly #maxAgeMs: number;
  readonly #maxCount: number;
  /** Oldest first, without a hole between them. */
  #chunks: Chunk[] = [];
  #size = 0;

  /**
   * @param maxAge How long a witness is kept after its entry was trimmed, in milliseconds; chunks of up to 16,384 expire
   * together.
   * @param maxCount Most witnesses, 4,194,304 by default; the oldest are forgotten first.
   */
  constructor(maxAge: number, maxCount: number = maxWitnesses) {
    this.#maxAgeMs = maxAge;
    this.#maxCount = maxCount;
  }

  /** How many witnesses there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds the next offset. After a hole, the history begins again. */
  push(offset: number, witness: number): void {
    if (this.#maxAgeMs === 0) return;
    let last = this.#chunks.at(-1);
    if (last !== undefined && last.first + last.length !== offset) {
      this.clear();
      last = undefined;
    }
    if (last === undefined || last.length === last.witnesses.length) last = this.#addChunk(offset, last);
    last.witnesses[last.length++] = witness;
    this.#size++;
    while (this.#size > this.#maxCount) this.#dropOldest();
  }

  /** The witness at an offset, `undefined` where it is not known. */
  at(offset: number): number | undefined {
    const chunk = this.#chunks.findLast(({ first }) => first <= offset);
    return chunk === undefined || offset >= chunk.first + chunk.length
      ? undefined
      : chunk.witnesses[offset - chunk.first];
  }

  /** Forgets all. */
  clear(): void {
    this.#chunks = [];
    this.#size = 0;
  }

  /** Time is read once for each chunk: a witness may be kept a little longer than it has to, and never shorter. */
  #addChunk(first: number, last: Chunk | undefined): Chunk {
    const time = now();
    if (last !== undefined) last.filledAt = time;
    for (let [oldest] = this.#chunks; oldest !== undefined && oldest.filledAt + this.#maxAgeMs < time; ) {
      this.#dropOldest();
      [oldest] = this.#chunks;
    }
    const next = (last?.witnesses.length ?? firstChunkWitnesses / 2) * 2;
    const length = Math.min(next, maxChunkWitnesses, Math.ceil(this.#maxCount / 8));
    const chunk = { first, witnesses: new Uint32Array(length), length: 0, filledAt: Number.POSITIVE_INFINITY };
    this.#chunks.push(chunk);
    return chunk;
  }

  #dropOldest(): void {
    this.#size -= this.#chunks.shift()?.length ?? 0;
  }
}

interface Chunk {
  readonly first: number;
  readonly witnesses: Uint32Array;
  length: number;
  /** No witness was added after this time. */
  filledAt: number;
}
