// The bytes of an event, created once and shared by every connection that sends it.

const encoder = new TextEncoder();

/** Room before the bytes for the head of an HTTP/1.1 chunk: eight hexadecimal digits and CRLF. */
const chunkHeadBytes = 10;
const chunkTailBytes = 2;
/** The largest frame that a lasting one keeps. */
const maxKeptBytes = 256;
const cr = 13;
const lf = 10;

/**
 * The bytes of one event, or of several that follow each other, created once and shared by every connection that sends
 * them. One buffer holds the bytes with the head and tail of an HTTP/1.1 chunk around them, so that both forms are
 * views of the same memory.
 */
export class Frame {
  /** Length of the events in bytes, without the framing of HTTP. */
  readonly byteLength: number;
  #buffer: Uint8Array | null;
  /** The two views, created once: a view for each connection would cost as much as sending it. */
  #bytes: Uint8Array | null = null;
  #chunk: Uint8Array | null = null;
  /** Until its bytes are needed, a joined frame is only `#before` and then `#last`. */
  #before: Frame | null = null;
  #last: Frame | null = null;
  /** The frame last joined to this one, and the result: within a tick, all connections join the same two. */
  #next: Frame | null = null;
  #joined: Frame | null = null;
  #stored: Frame | null = null;
  #isLasting = false;

  private constructor(buffer: Uint8Array | null, byteLength: number) {
    this.#buffer = buffer;
    this.byteLength = byteLength;
  }

  /** The frame of whole events or lines, as the encoder writes them. */
  static of(text: string): Frame {
    const room = new Uint8Array(chunkHeadBytes + text.length + chunkTailBytes);
    // Text of one byte a character, the usual case, fits exactly; the rest of the room is for the tail.
    const { read, written } = encoder.encodeInto(text, room.subarray(chunkHeadBytes, chunkHeadBytes + text.length));
    if (read === text.length) return new Frame(room, written);
    return Frame.copyOf(encoder.encode(text));
  }

  /** The frame of bytes that are encoded already. */
  static copyOf(bytes: Uint8Array): Frame {
    const buffer = new Uint8Array(chunkHeadBytes + bytes.length + chunkTailBytes);
    buffer.set(bytes, chunkHeadBytes);
    return new Frame(buffer, bytes.length);
  }

  /** The frame of text that starts many streams: see {@link Frame.join}. */
  static lasting(text: string): Frame {
    const frame = Frame.of(text);
    frame.#isLasting = true;
    return frame;
  }

  /** The events as they are. Shared: must not be written to. */
  get bytes(): Uint8Array {
    this.#bytes ??= this.#materialize().subarray(chunkHeadBytes, chunkHeadBytes + this.byteLength);
    return this.#bytes;
  }

  /**
   * The events as one chunk of HTTP/1.1 (RFC 9112, section 7.1), in the form that a platform writes without a conversion.
   * Shared: must not be written to.
   */
  chunk<T extends Uint8Array>(convert: (chunk: Uint8Array) => T): T {
    if (this.#chunk === null) {
      const buffer = this.#materialize();
      const chunk = buffer.subarray(
        frameChunk(buffer, this.byteLength),
        chunkHeadBytes + this.byteLength + chunkTailBytes,
      );
      this.#chunk = convert(chunk);
    }
    return this.#chunk as T;
  }

  /**
   * This frame followed by `next`. Within a tick, joining the same two returns the same frame. A lasting frame keeps a small
   * one until another is joined to it, because the clients of a quiet hub all start at the same checkpoint.
   */
  join(next: Frame): Frame {
    if (this.#next === next && this.#joined !== null) return this.#joined;
    const joined = new Frame(null, this.byteLength + next.byteLength);
    joined.#before = this;
    joined.#last = next;
    if (this.#isLasting ? next.byteLength > maxKeptBytes : this.#next === null) framesOfTick.push(this);
    this.#next = next;
    this.#joined = joined;
    return joined;
  }

  /** The events as stored blocks of deflate (RFC 1951, section 3.2.4). Within a tick, it is the same frame each time. */
  get stored(): Frame {
    if (this.#stored === null) {
      framesOfTick.push(this);
      this.#stored = Frame.copyOf(storedBlocks(this.bytes));
    }
    return this.#stored;
  }

  /**
   * This frame in parts. Large frames that were joined last are not copied, because many connections share them. For a
   * caller that can pass several parts to the system at once.
   *
   * @param leastBytes From here on, a copy costs more than a part of its own.
   */
  parts(leastBytes: number): readonly Frame[] {
    const before = this.#before;
    const last = this.#last;
    if (before === null || last === null || last.byteLength < leastBytes) return [this];
    return [...before.parts(leastBytes), last];
  }

  /** Ends the sharing of joined and of stored frames, which no connection needs after the end of a tick. */
  static forgetTick(): void {
    for (const frame of framesOfTick) {
      frame.#next = null;
      frame.#joined = null;
      frame.#stored = null;
    }
    framesOfTick.length = 0;
  }

  #materialize(): Uint8Array {
    if (this.#buffer !== null) return this.#buffer;
    const buffer = new Uint8Array(chunkHeadBytes + this.byteLength + chunkTailBytes);
    let end = chunkHeadBytes + this.byteLength;
    let frame: Frame = this;
    while (frame.#buffer === null) {
      const last = frame.#last as Frame;
      end -= last.byteLength;
      buffer.set(last.bytes, end);
      frame = frame.#before as Frame;
    }
    buffer.set(frame.bytes, chunkHeadBytes);
    this.#buffer = buffer;
    this.#before = null;
    this.#last = null;
    return buffer;
  }
}

/** Frames with results that are shared until the end of the tick. */
const framesOfTick: Frame[] = [];

/** Writes the head and tail of the chunk around the bytes and returns where the head begins. */
function frameChunk(buffer: Uint8Array, byteLength: number): number {
  buffer[chunkHeadBytes - 2] = cr;
  buffer[chunkHeadBytes - 1] = lf;
  buffer[chunkHeadBytes + byteLength] = cr;
  buffer[chunkHeadBytes + byteLength + 1] = lf;
  let head = chunkHeadBytes - 2;
  for (let rest = byteLength; rest > 0; rest >>>= 4) {
    const digit = rest & 15;
    buffer[--head] = digit < 10 ? 48 + digit : 87 + digit;
  }
  return head;
}

/** Bytes before each stored block that begins at a byte: no final block, its length, and the complement of that. */
const storedHeadBytes = 5;
const maxStoredBytes = 0xffff;

function storedBlocks(bytes: Uint8Array): Uint8Array {
  const count = Math.ceil(bytes.length / maxStoredBytes);
  const blocks = new Uint8Array(bytes.length + count * storedHeadBytes);
  const view = new DataView(blocks.buffer);
  let end = 0;
  for (let at = 0; at < bytes.length; at += maxStoredBytes) {
    const block = bytes.subarray(at, at + maxStoredBytes);
    view.setUint16(end + 1, block.length, true);
    view.setUint16(end + 3, ~block.length, true);
    blocks.set(block, end + storedHeadBytes);
    end += storedHeadBytes + block.length;
  }
  return blocks;
}
