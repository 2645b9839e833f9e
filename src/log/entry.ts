// The data of a log: entries, where they are, and the pages in which they are read. Types only.
import type { Position } from "../wire/cursor.ts";

/** An entry before the log has placed it. */
export interface NewEntry {
  /** The channel that it is published on. */
  readonly channel: string;
  /** The event type. */
  readonly type: string;
  /** The data as text, as it goes on the wire. */
  readonly data: string;
  /**
   * A later entry of the same channel and key supersedes this one for readers that have not read it yet. The newest of
   * each key is kept forever: keys name the things that a channel is about, and do not number events.
   */
  readonly key?: string | undefined;
  /** Subscriptions with the same sender do not receive the entry. */
  readonly sender?: string | undefined;
  /**
   * An entry of the same channel with the same key within the log's window is returned instead of this one, whatever
   * `after` says: a publisher that retries gets the answer that it missed.
   */
  readonly idempotencyKey?: string | undefined;
  /**
   * The entry is accepted only if this position is one of this log, and the channel had no entry after it before this
   * call, retained or not. A position that cannot be verified is a conflict.
   */
  readonly after?: Position | undefined;
}

/** An entry of the log. */
export interface LogEntry {
  /** Its offset: 1, 2, 3 … within an epoch. */
  readonly offset: number;
  /** A random 32-bit number, not 0, that identifies it together with the offset. */
  readonly witness: number;
  /** Witness of the entry at `offset - 1`. */
  readonly previousWitness: number;
  /** When it was accepted, in milliseconds of Unix time. For people: nothing is decided by it. */
  readonly time: number;
  /** The channel that it was published on. */
  readonly channel: string;
  /** The event type. */
  readonly type: string;
  /** The data as text, as it goes on the wire. */
  readonly data: string;
  /** As in {@link NewEntry}. */
  readonly key?: string | undefined;
  /** As in {@link NewEntry}. */
  readonly sender?: string | undefined;
}

/** Where an entry was placed. */
export interface Appended extends Position {
  /** An earlier entry with the same `idempotencyKey` was returned; nothing was appended. */
  readonly duplicate?: boolean;
}

/** The channels that a reader follows: some by name, and all channels whose name begins with a prefix (UTF-16 code units). */
export interface ChannelSelection {
  /** Names of channels. */
  readonly channels: readonly string[];
  /** Prefixes of names, without `*`. */
  readonly prefixes: readonly string[];
}

/** The newest position of a log, and the oldest one that can be read from. */
export interface Head {
  /** The current epoch. */
  readonly epoch: string;
  /** Offset of the newest entry, 0 when there was none yet. */
  readonly top: number;
  /** Witness of the newest entry, the origin witness when there was none yet. Never 0. */
  readonly witness: number;
  /** The position before the oldest retained entry: the oldest one that can be read from and verified. */
  readonly floor: Floor;
}

/** A position without its epoch: `witness` is the oldest retained entry's `previousWitness`. */
export interface Floor {
  /** Every entry up to here was trimmed. */
  readonly offset: number;
  /** Witness of the entry at the offset, the origin witness at offset 0. Never 0. */
  readonly witness: number;
}

/** The result of one `read`. */
export interface Page {
  /** The epoch of the entries. */
  readonly epoch: string;
  /** The entries, oldest first. */
  readonly entries: readonly LogEntry[];
  /** All selected entries up to here have been returned or accounted for: where to read on. Never below `after`. */
  readonly through: number;
  /** Entries left out because a newer one of the same key supersedes them. Trimmed ones are not counted. */
  readonly conflated: number;
  /**
   * The highest offset trimmed away from the selection, 0 when nothing was; at most `floor.offset`. A log MAY answer with a
   * higher one, up to `floor.offset`. Above `after`, entries of the selection are missing from this page.
   *
   * Entries with a key do not count for a reader with `conflate`, because the newest is still there. Without `conflate`,
   * superseded ones that are gone do count: what supersedes them may not be for this reader.
   */
  readonly trimmed: number;
  /** As in {@link Head}, at the time of the read. */
  readonly floor: Floor;
}

/** One page of `latestByKey`. */
export interface ValuePage {
  /** The epoch of the entries. */
  readonly epoch: string;
  /** Oldest first. */
  readonly entries: readonly LogEntry[];
  /** All values up to here have been returned; `upTo` on the last page. */
  readonly through: number;
}

/** Consecutive entries that a tail delivers together. */
export interface TailBatch {
  /** The epoch of the entries. */
  readonly epoch: string;
  /** The entries, oldest first. */
  readonly entries: readonly LogEntry[];
}
