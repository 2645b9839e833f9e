// The newest entries of the log, each encoded once for all connections of this process.
import { clearedRange, emptySlot, isEmptySlot } from "../../log/cleared.ts";
import type { LogEntry, Position } from "../../log/log.ts";
import { formatCursor, headPosition, isHeadPosition } from "../../wire/cursor.ts";
import { encodeEvent } from "../../wire/encode.ts";
import { Frame } from "../../wire/frame.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";

/**
 * A ring without holes: it holds every entry of the log after `floor`, up to `top`. Readers rely on that: they find the
 * entry after an offset in between by subtraction, without a question to the log. Before an entry that does not follow
 * `top`, the {@link Feed} resets the ring.
 *
 * It is an array with a moving start, not one of fixed size: the limit in bytes may keep it far from its limit in entries.
 * Adding and trimming take constant time, amortized.
 */
export class FrameRing {
  epoch = "";
  /** Offset and witness of the newest entry. */
  top = 0;
  witness = 0;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #entries: (RingEntry | undefined)[] = [];
  #start = 0;
  #bytes = 0;
  /** Witness of the entry before the oldest one that is here. */
  #floorWitness = 0;
  /** The newest entry here of each channel and key. A line break separates the two: a channel's name cannot contain one. */
  readonly #newest = new Map<string, RingEntry>();
  /** Offsets of entries that were empty slots when they arrived: no client of this process has received what was there. */
  #cameEmpty: number[] = [];
  /** The newest one that is not here any more. */
  #lastEmptyGone = 0;
  #head: Position = { epoch: "", offset: 0, witness: 0 };
  readonly #onLabeled = (item: RingEntry, byteLength: number): void => {
    if (this.at(item.entry.offset) === item) this.#bytes += byteLength;
  };

  constructor({ maxEvents, maxBytes }: ResolvedHubOptions["ring"]) {
    this.#maxEntries = maxEvents;
    this.#maxBytes = maxBytes;
  }

  /** Every entry after this offset is here. */
  get floor(): number {
    return this.top - (this.#entries.length - this.#start);
  }

  /** Bytes of all frames. */
  get byteLength(): number {
    return this.#bytes;
  }

  /** The position of the newest entry: the same object until there is a newer one, since idle clients keep it. */
  get head(): Position {
    if (!isHeadPosition(this.#head, this)) this.#head = headPosition(this);
    return this.#head;
  }

  /** Drops all entries, and continues after a position. */
  reset({ epoch, offset, witness }: Position): void {
    this.#lastEmptyGone = epoch === this.epoch ? (this.#cameEmpty.at(-1) ?? this.#lastEmptyGone) : 0;
    this.#cameEmpty = [];
    this.epoch = epoch;
    this.top = offset;
    this.witness = witness;
    this.#floorWitness = witness;
    this.#entries = [];
    this.#start = 0;
    this.#bytes = 0;
    this.#newest.clear();
  }

  push(entry: LogEntry): RingEntry {
    const added = new RingEntry(entry, this.epoch, this.#onLabeled);
    this.#entries.push(added);
    this.#bytes += added.frame.byteLength;
    this.top = entry.offset;
    this.witness = entry.witness;
    if (isEmptySlot(entry)) this.#cameEmpty.push(entry.offset);
    if (entry.key !== undefined) this.#supersede(added, `${entry.channel}\n${entry.key}`);
    this.#trim();
    return added;
  }

  /** The witness of the entry at an offset, where this ring knows it. */
  witnessAt(offset: number): number | undefined {
    if (offset === this.top) return this.witness;
    return offset === this.floor ? this.#floorWitness : this.at(offset)?.entry.witness;
  }

  /** The entry at an offset, if it is here. */
  at(offset: number): RingEntry | undefined {
    return offset > this.floor ? this.#entries[this.#start + offset - this.floor - 1] : undefined;
  }

  /**
   * Up to which offset a client has everything that had the head since an earlier one: up to `offset`, or up to the first entry
   * that was cleared before it arrived here. Another process may clear a channel while the tail of this one is late.
   */
  receivedUpTo(offset: number, since: number): number {
    if (since < this.#lastEmptyGone) return Math.min(offset, since);
    const empty = this.#cameEmpty.find((each) => each > since);
    return empty === undefined ? offset : Math.min(offset, empty - 1);
  }

  /** Whether a client that had the head since an earlier offset has missed some of the entries whose clearing an entry records. */
  missesCleared(entry: LogEntry, since: number): boolean {
    const { from, to } = clearedRange(entry);
    return this.receivedUpTo(to, Math.max(from - 1, since)) < to;
  }

  /** Erases the entries of a channel: empty slots remain, so that the ring stays contiguous. */
  erase(channel: string): void {
    for (let index = this.#start; index < this.#entries.length; index++) {
      const item = this.#entries[index] as RingEntry;
      if (item.entry.channel !== channel) continue;
      if (item.entry.key !== undefined) this.#newest.delete(`${channel}\n${item.entry.key}`);
      const slot = new RingEntry(emptySlot(item.entry), this.epoch, this.#onLabeled);
      this.#bytes += slot.byteLength - item.byteLength;
      this.#entries[index] = slot;
    }
  }

  #supersede(entry: RingEntry, key: string): void {
    const previous = this.#newest.get(key);
    if (previous !== undefined) previous.superseded = true;
    this.#newest.set(key, entry);
  }

  #trim(): void {
    while (
      // The newest entry stays, however large it is: a client that could not take it at once has to find it here.
      this.#entries.length - this.#start > 1 &&
      (this.#entries.length - this.#start > this.#maxEntries || this.#bytes > this.#maxBytes)
    ) {
      const oldest = this.#entries[this.#start] as RingEntry;
      // The array is shortened from time to time. Until then the entry must not be kept alive by it.
      this.#entries[this.#start++] = undefined;
      this.#bytes -= oldest.byteLength;
      this.#floorWitness = oldest.entry.witness;
      if (this.#cameEmpty[0] === oldest.entry.offset) this.#lastEmptyGone = this.#cameEmpty.shift() as number;
      const key = `${oldest.entry.channel}\n${oldest.entry.key}`;
      if (oldest.entry.key !== undefined && this.#newest.get(key) === oldest) this.#newest.delete(key);
    }
    if (this.#start > 1_024 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }
}

/** An entry with the frames that all connections share. */
export interface SharedEntry {
  readonly entry: LogEntry;
  readonly frame: Frame;
  /** The frame with the name of the channel in it. Encoded when the first labeled stream sends it. */
  readonly labeled: Frame;
}

/** An entry of the ring. */
export class RingEntry implements SharedEntry {
  readonly entry: LogEntry;
  readonly frame: Frame;
  /** A later entry of the same channel and key is in the ring: a reader that lags gets only that one. */
  superseded = false;
  readonly #epoch: string;
  readonly #onLabeled: (item: RingEntry, byteLength: number) => void;
  #labeled: Frame | null = null;

  constructor(entry: LogEntry, epoch: string, onLabeled: (item: RingEntry, byteLength: number) => void) {
    this.entry = entry;
    this.frame = frameOfEntry(epoch, entry);
    this.#epoch = epoch;
    this.#onLabeled = onLabeled;
  }

  get labeled(): Frame {
    if (this.#labeled === null) {
      this.#labeled = frameOfEntry(this.#epoch, this.entry, true);
      this.#onLabeled(this, this.#labeled.byteLength);
    }
    return this.#labeled;
  }

  /** Bytes of its frames. */
  get byteLength(): number {
    return this.frame.byteLength + (this.#labeled?.byteLength ?? 0);
  }
}

/** The frame of an entry: its id is the position that the client has reached with it. */
export function frameOfEntry(epoch: string, entry: LogEntry, isLabeled = false): Frame {
  const { offset, witness, type, data, channel } = entry;
  const id = formatCursor({ epoch, offset, witness });
  return Frame.of(encodeEvent({ id, type, data, channel: isLabeled ? channel : undefined }));
}

/**
 * The frame of an entry that is part of a channel's state and not its next event: without an id. Its offset may be far below
 * the position that the state belongs to, and a client that is cut off would resume there.
 */
export function stateFrameOfEntry({ type, data, channel }: LogEntry, isLabeled = false): Frame {
  return Frame.of(encodeEvent({ type, data, channel: isLabeled ? channel : undefined }));
}
