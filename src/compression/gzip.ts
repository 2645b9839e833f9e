// The body of one response as a gzip stream (RFC 1952), which consists of the blocks of a group and of stored blocks.
import type { ContentCoding } from "../sinks/sink.ts";
import { Frame } from "../wire/frame.ts";
import { combineCrc32, crc32 } from "./crc32.ts";
import type { Block, CompressionGroup, Sum } from "./group.ts";
import { finalBlock } from "./zlib.ts";

/** The header of gzip: deflate, no flags, no time, no name of a system. */
const header: Frame = Frame.copyOf(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255));

/**
 * The coding of one response. While it is in step with its group, a write costs a comparison: the checksum of those bytes is
 * made of the group's when it falls out of step.
 */
export class GzipCoding implements ContentCoding {
  #group: CompressionGroup | null = null;
  /** The newest block that it has received, while it is in step. */
  #last: Block | null = null;
  /** The output of the group before the block with which this reader came in step. */
  #start: Sum | null = null;
  /** Checksum and length of the output of this reader until then. */
  #crc = 0;
  #length = 0;
  #hasBegun = false;

  /** The group whose blocks it may send. */
  get group(): CompressionGroup | null {
    return this.#group;
  }

  /** Joins a group, unless it is in one. */
  join(group: CompressionGroup): void {
    if (this.#group !== null) return;
    this.#group = group;
    group.enter();
  }

  /** Leaves its group: from here on, it sends stored blocks. */
  leave(): void {
    this.#fallOutOfStep();
    this.#group?.leave();
    this.#group = null;
  }

  encode(frame: Frame): Frame {
    const block = this.#group?.take(frame, this.#last) ?? null;
    const encoded = block === null ? this.#encodeAlone(frame) : this.#follow(block);
    if (this.#hasBegun) return encoded;
    this.#hasBegun = true;
    return header.join(encoded);
  }

  end(frame: Frame | null): Frame {
    const last = frame === null ? null : this.encode(frame);
    this.#fallOutOfStep();
    const trailer = new DataView(new ArrayBuffer(finalBlock.length + 8));
    finalBlock.forEach((byte, index) => {
      trailer.setUint8(index, byte);
    });
    trailer.setUint32(finalBlock.length, this.#crc, true);
    // Modulo 2^32, as the format demands.
    trailer.setUint32(finalBlock.length + 4, this.#length, true);
    const end = Frame.copyOf(new Uint8Array(trailer.buffer));
    if (last !== null) return last.join(end);
    return this.#hasBegun ? end : header.join(end);
  }

  #follow(block: Block): Frame {
    if (this.#last?.number !== block.number - 1) {
      // A fresh block: it need not have received the one before.
      this.#group?.comeInStep();
      this.#fallOutOfStep();
      this.#start = block.start;
    }
    this.#last = block;
    return block.frame;
  }

  #encodeAlone(frame: Frame): Frame {
    this.#fallOutOfStep();
    this.#crc = crc32(frame.bytes, this.#crc);
    this.#length += frame.byteLength;
    return frame.stored;
  }

  /**
   * Adds its output in step to its own sums. The checksum is linear, so that of the bytes since `start` need not be
   * separated from the group's.
   */
  #fallOutOfStep(): void {
    const last = this.#last;
    const start = this.#start;
    this.#last = null;
    this.#start = null;
    if (last === null || start === null) return;
    const length = last.end.length - start.length;
    this.#crc = combineCrc32(this.#crc ^ start.crc, last.end.crc, length);
    this.#length += length;
    this.#group?.fallOutOfStep();
  }
}
