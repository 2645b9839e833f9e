import type { LogEntry } from "../../log/log.ts";
import { formatCursor } from "../../wire/cursor.ts";
import { encodeEvent } from "../../wire/encode.ts";
import { Frame } from "../../wire/frame.ts";
import type { ResolvedHubOptions } from "../resolve-options.ts";

/** An entry with the frame that all connections share. */
export interface RingEntry {
  readonly entry: LogEntry;
  readonly frame: Frame;
  /** A later entry of the same channel and key has come: a reader that lags gets that one alone. */
  superseded: boolean;
}

/**
 * The newest entries of the log, each encoded once for all connections of this process. Contiguous: it holds every entry
 * behind `floor` up to `top`.
 */
export class FrameRing {
  epoch = "";
  /** Offset and witness of the newest entry. */
  top = 0;
  witness = 0;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #entries: RingEntry[] = [];
  #start = 0;
  #bytes = 0;
  readonly #newest = new Map<string, RingEntry>();

  constructor({ maxEvents, maxBytes }: ResolvedHubOptions["ring"]) {
    this.#maxEntries = maxEvents;
    this.#maxBytes = maxBytes;
  }

  /** Everything behind this offset is here. */
  get floor(): number {
    return this.top - (this.#entries.length - this.#start);
  }

  /** Bytes of all frames. */
  get byteLength(): number {
    return this.#bytes;
  }

  /** Begins anew behind an entry whose predecessors are not here. */
  reset(epoch: string, top: number, witness: number): void {
    this.epoch = epoch;
    this.top = top;
    this.witness = witness;
    this.#entries = [];
    this.#start = 0;
    this.#bytes = 0;
    this.#newest.clear();
  }

  push(entry: LogEntry): RingEntry {
    const added: RingEntry = { entry, frame: frameOfEntry(this.epoch, entry), superseded: false };
    this.#entries.push(added);
    this.#bytes += added.frame.byteLength;
    this.top = entry.offset;
    this.witness = entry.witness;
    if (entry.key !== undefined) this.#supersede(added, `${entry.channel}\n${entry.key}`);
    this.#trim();
    return added;
  }

  /** The witness of the entry at an offset, if it is known. */
  witnessAt(offset: number): number | undefined {
    return offset === this.top ? this.witness || undefined : this.at(offset)?.entry.witness;
  }

  /** The entry at an offset, if it is here. */
  at(offset: number): RingEntry | undefined {
    return offset > this.floor ? this.#entries[this.#start + offset - this.floor - 1] : undefined;
  }

  #supersede(entry: RingEntry, key: string): void {
    const previous = this.#newest.get(key);
    if (previous !== undefined) previous.superseded = true;
    this.#newest.set(key, entry);
  }

  #trim(): void {
    while (
      this.#entries.length - this.#start > 1 &&
      (this.#entries.length - this.#start > this.#maxEntries || this.#bytes > this.#maxBytes)
    ) {
      const oldest = this.#entries[this.#start++] as RingEntry;
      this.#bytes -= oldest.frame.byteLength;
      const key = `${oldest.entry.channel}\n${oldest.entry.key}`;
      if (oldest.entry.key !== undefined && this.#newest.get(key) === oldest) this.#newest.delete(key);
    }
    if (this.#start > 1_024 && this.#start * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#start);
      this.#start = 0;
    }
  }
}

/** The one way from a log's entry to bytes, for entries that come live and for those that are read again. */
export function frameOfEntry(epoch: string, entry: LogEntry): Frame {
  return Frame.of(
    encodeEvent({
      id: formatCursor({ epoch, offset: entry.offset, witness: entry.witness }),
      type: entry.type,
      data: entry.data,
    }),
  );
}

/** The same without a position, for entries that are the state of a channel and not its next event. */
export function stateFrameOfEntry(entry: LogEntry): Frame {
  return Frame.of(encodeEvent({ type: entry.type, data: entry.data }));
}
