// Streams with the same output, which is compressed once for all of them.
import { currentTick, isEndOfTick } from "../sinks/flush.ts";
import { Frame } from "../wire/frame.ts";
import { crc32 } from "./crc32.ts";
import { windows } from "./windows.ts";
import { type Zlib, zlib } from "./zlib.ts";

/**
 * Larger batches are not compressed: the process does nothing else while zlib works, which takes 6 ms for this size.
 */
const maxBatchBytes = 256 * 1024;

/**
 * After this many blocks, readers that wait need not wait any longer, whatever it costs the others: 1 byte for each
 * block.
 */
const maxBlocksToJoin = 100;

/**
 * Streams with the same output. All frames of a tick, a batch, become one block: a part of a deflate stream that ends
 * at a byte (RFC 1951; a sync flush of zlib). Neither the readers nor the group keep a state of zlib: a block may refer
 * to the bytes that all its readers have before it, which zlib takes as a dictionary.
 *
 * A reader is in step while it has received every block since one that refers to nothing, a fresh block, and nothing else. Any
 * byte of its own would shift what later blocks refer to, so it gets stored blocks then, until the next fresh one.
 *
 * No caller declares a stream to be in step. It sends the frames that it would send without compression, and they are
 * compared: frames are shared, so equal output of a tick is the same object.
 */
export class CompressionGroup {
  readonly #threshold: number;
  readonly #onEmpty: () => void;
  #readers = 0;
  #inStep = 0;
  /** The frames of a tick, until a reader needs the block. */
  #batch: Frame | null = null;
  #batchTick = -1;
  #lastWritten: Frame | null = null;
  /** The newest block, and the batch that it was made of. */
  #block: Block = { number: 0, isFresh: false, frame: emptyFrame, start: nothing, end: nothing };
  #blockBatch: Frame | null = null;
  #blocksSinceFresh = 0;
  /** Bytes that the readers which wait have received since the last fresh block and would have saved in step. */
  #wasted = 0;

  /**
   * @param threshold How many readers there must be before anything is compressed.
   * @param onEmpty Called when the last reader has left.
   */
  constructor(threshold: number, onEmpty: () => void = () => {}) {
    this.#threshold = threshold;
    this.#onEmpty = onEmpty;
  }

  /** Streams of the group, in step or not. */
  get readers(): number {
    return this.#readers;
  }

  /** Adds a frame to what the group sends in this tick. Of the calls for one frame, the first one counts. */
  write(frame: Frame): void {
    if (this.#readers < this.#threshold) return;
    const tick = currentTick();
    const isContinued = this.#batch !== null && this.#batchTick === tick;
    if (this.#lastWritten === frame && this.#batchTick === tick) return;
    this.#lastWritten = frame;
    this.#batchTick = tick;
    this.#batch = isContinued ? (this.#batch as Frame).join(frame) : frame;
  }

  /**
   * The block of a frame, for a reader whose last block was `last`: `null` if the frame is not what the group sends, or
   * if the reader is not in step. The first reader at the end of a tick triggers the compression; before that, more
   * frames may follow.
   */
  take(frame: Frame, last: Block | null): Block | null {
    if (frame !== this.#blockBatch) {
      if (frame !== this.#batch || !isEndOfTick()) return null;
      if (frame.byteLength > maxBatchBytes) return null;
      this.#makeBlock(frame, zlib() as Zlib);
    }
    return this.#block.isFresh || last?.number === this.#block.number - 1 ? this.#block : null;
  }

  // --- For the readers ---

  enter(): void {
    this.#readers++;
  }

  leave(): void {
    this.#readers--;
    if (this.#readers === 0) {
      this.#batch = null;
      this.#lastWritten = null;
      this.#blockBatch = null;
      this.#onEmpty();
    }
  }

  comeInStep(): void {
    this.#inStep++;
  }

  /** Without a reader in step, the context is of no use. So an idle group has none: its keep-alives are sent one by one. */
  fallOutOfStep(): void {
    this.#inStep--;
    if (this.#inStep === 0) windows.release(this);
  }

  #makeBlock(batch: Frame, { deflateRawSync, constants }: Zlib): void {
    const { bytes } = batch;
    const isFresh = !windows.has(this) || this.#shouldLetJoin(bytes.length);
    const window = windows.use(this);
    if (isFresh) window.clear();
    const finishFlush = constants.Z_SYNC_FLUSH;
    const options = isFresh ? { finishFlush } : { finishFlush, dictionary: window.bytes };
    const frame = Frame.copyOf(deflateRawSync(bytes, options));
    window.append(bytes);
    const start = this.#block.end;
    const end = { crc: crc32(bytes, start.crc), length: start.length + bytes.length };
    this.#block = { number: this.#block.number + 1, isFresh, frame, start, end };
    this.#blockBatch = batch;
    this.#batch = null;
    this.#blocksSinceFresh = isFresh ? 0 : this.#blocksSinceFresh + 1;
    const waiting = this.#readers - this.#inStep;
    this.#wasted = isFresh ? 0 : this.#wasted + waiting * Math.max(0, bytes.length - frame.byteLength);
  }

  /**
   * A fresh block costs each reader in step about as much as a batch without compression. That is worthwhile once
   * waiting has cost as much. So the total is never more than twice that of the decision that is best in hindsight.
   */
  #shouldLetJoin(byteLength: number): boolean {
    if (this.#readers === this.#inStep) return false;
    return this.#wasted >= this.#inStep * byteLength || this.#blocksSinceFresh >= maxBlocksToJoin;
  }
}

/** Checksum and length of all bytes up to some point. */
export interface Sum {
  readonly crc: number;
  readonly length: number;
}

const nothing: Sum = { crc: 0, length: 0 };
const emptyFrame: Frame = Frame.of("");

/** A compressed batch. */
export interface Block {
  readonly number: number;
  /** It refers to no byte before it: any reader can continue with it. */
  readonly isFresh: boolean;
  readonly frame: Frame;
  /** All output of the group before this block, and with it, without compression. */
  readonly start: Sum;
  readonly end: Sum;
}
