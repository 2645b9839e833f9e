import { quote, SourcecastError, SourcecastTypeError } from "../base/errors.ts";
import { bytes, type Duration, milliseconds, type Size } from "../base/units.ts";

/**
 * The contract between a hub and what keeps its events. A log is one ordered sequence of entries for all channels; a
 * connection is a position in it.
 *
 * A log MUST
 * - give entries the offsets 1, 2, 3 … without holes within an epoch, in the order in which it accepted them,
 * - start a new epoch, an identifier never used before, when it cannot continue the old sequence,
 * - store a random 32-bit witness, not zero, with each entry and return it with the entry ever after,
 * - resolve `append` only when the entries are as durable as it promises and any `read` after that returns them,
 * - append the entries of one call next to each other, all of them or none; one call's failure is not another's,
 * - answer `head` from the primary, never from a replica that may lag behind,
 * - hand every entry behind `after` to a tail, once, in order, those of other processes too, and no batch before the
 *   handler of the one before has returned,
 * - hand over in a tail what is written in the place of lost entries, where its storage can lose the newest, as in a failover:
 *   at an offset that is not above the last one handed over, before anything behind it. That would pass for what follows,
 * - keep the newest entry of each key when retention takes it from the sequence, until a newer one supersedes it.
 *
 * A log MUST NOT
 * - skip in a tail what is still retained: on a hole it reads again,
 * - remove entries from anywhere but the beginning,
 * - let retention hold up `append`,
 * - report an entry as trimmed that it still returns,
 * - leave entries out of a page that neither it nor `trimmed` accounts for.
 *
 * Retention may work in the background: a log may hold more than it was told to keep, for a short while.
 */
export interface Log {
  /**
   * Appends entries and resolves with their positions, in the same order.
   *
   * @throws {SourcecastError} `ERR_SSE_CONFLICT` when an entry's `after` no longer holds; `ERR_SSE_LOG` when the log cannot
   * store. Nothing of the call is stored then. Every method throws `ERR_SSE_CLOSED` after `close()`.
   */
  append(entries: readonly NewEntry[]): Promise<Appended[]>;

  /** Where the log stands, as its primary knows it. */
  head(selection?: ChannelSelection): Promise<Head>;

  /**
   * The witness of the retained entry at an offset, `undefined` when there is none. Of a superseded one too: a log that was
   * restored from a copy and went on differently must not pass for the one that a cursor came from.
   */
  witness(offset: number): Promise<number | undefined>;

  /** The selected entries behind the offset `after`, oldest first, at most `limit`, which is one or more. */
  read(after: number, limit: number, selection?: ChannelSelection): Promise<Page>;

  /** The last `count` selected entries, oldest first. Those superseded by a newer one of the same key do not count. */
  last(count: number, selection: ChannelSelection): Promise<LogEntry[]>;

  /** The newest entry of each key of the selected channels, also of those trimmed since, in the order of their offsets. */
  latestByKey(selection: ChannelSelection): Promise<LogEntry[]>;

  /**
   * Hands over every entry behind `after`, from now on, in order. An entry that was trimmed before it could be handed over
   * is left out: the next entry's offset shows it. Where entries can be lost, a position above the newest one was.
   *
   * A hub begins with the newest entry, which it knows, so that another in its place shows itself. From there on the log has
   * the witness of what it handed over last. Where that is not in the log any more, as may be found after a lost connection,
   * the tail goes on with the entry at that offset, or with the newest one if that is lower.
   *
   * @param onError Told of what `onEntries` throws, and of failures from which the tail tries to recover by itself.
   */
  tail(after: number, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail;

  /**
   * Releases what the log itself has opened, and nothing that was passed to it. Ends its tails. Appends that were called
   * before are settled first. Again: nothing.
   */
  close(): Promise<void>;
}

/** An entry before the log has placed it. */
export interface NewEntry {
  channel: string;
  type: string;
  /** The data as text, as it goes on the wire. */
  data: string;
  /**
   * A later entry of the same channel and key supersedes this one for those who have not read it yet. The newest of each
   * key is kept for ever: keys name the things that a channel is about, they do not number events.
   */
  key?: string | undefined;
  /** Who published it: subscriptions of the same sender do not get it. */
  sender?: string | undefined;
  /**
   * An entry of the same channel with the same key, not older than the log's window, is returned in place of this one,
   * whatever `after` says: a publisher that tries again gets the answer that it missed.
   */
  idempotencyKey?: string | undefined;
  /** Accept only if the channel had no entry behind this offset before this call, retained or not. */
  after?: number | undefined;
}

/** An entry of the log. */
export interface LogEntry {
  readonly offset: number;
  readonly witness: number;
  /** When it was accepted, in milliseconds of Unix time. */
  readonly time: number;
  readonly channel: string;
  readonly type: string;
  readonly data: string;
  readonly key?: string | undefined;
  readonly sender?: string | undefined;
}

/** Where an entry was placed. */
export interface Appended {
  readonly epoch: string;
  readonly offset: number;
  readonly witness: number;
  /** An earlier entry with the same `idempotencyKey` was returned, nothing was appended. */
  readonly duplicate?: boolean;
}

/** What a reader follows: channels by name, and all channels whose name begins with a prefix. */
export interface ChannelSelection {
  readonly channels: readonly string[];
  readonly prefixes: readonly string[];
}

export interface Head {
  /** Of letters, digits, `-` and `_`, at most 64. */
  readonly epoch: string;
  /** Offset of the newest entry, 0 when there was none yet. */
  readonly top: number;
  /** Witness of the newest entry, 0 when there was none yet. */
  readonly witness: number;
  /**
   * The highest offset trimmed away from the selection, 0 when nothing was. Entries with a key do not count: the newest is
   * still there, and it supersedes the others. A log may answer with a higher one, up to that of all channels.
   */
  readonly trimmed: number;
}

export interface Page {
  readonly epoch: string;
  readonly entries: readonly LogEntry[];
  /** All selected entries up to here have been returned: where to read on. Never below `after`. */
  readonly through: number;
  /** Entries left out because a newer one of the same key supersedes them; those that were trimmed are not counted. */
  readonly conflated: number;
  /** As in {@link Head}: above `after`, entries of the selection are missing from this page. */
  readonly trimmed: number;
}

export interface TailBatch {
  readonly epoch: string;
  readonly entries: readonly LogEntry[];
}

export interface Tail {
  close(): void;
}

/** What logs with retention keep. The limit that is reached first counts; the newest entry is always kept. */
export interface Retention {
  /** Entries. */
  maxEvents?: number;
  /** Memory or disk for data, types and names, roughly. */
  maxBytes?: Size;
  /** Age. @default no limit */
  maxAge?: Duration;
  /** How long a repeated `idempotencyKey` is recognised. @default "5m" */
  idempotencyWindow?: Duration;
}

/** {@link Retention} as numbers: entries, bytes, milliseconds. */
export interface RetentionLimits {
  readonly events: number;
  readonly bytes: number;
  readonly age: number;
  readonly window: number;
}

/** @throws {SourcecastTypeError} for values that are not allowed. */
export function retentionLimits(options: Retention, defaults: { maxEvents: number; maxBytes: Size }): RetentionLimits {
  const events = options.maxEvents ?? defaults.maxEvents;
  if (!Number.isSafeInteger(events) || events < 1) {
    throw new SourcecastTypeError(
      "ERR_SSE_OPTION",
      `The option maxEvents is ${quote(events)}; it takes a whole number, one or more`,
    );
  }
  return {
    events,
    bytes: bytes(options.maxBytes ?? defaults.maxBytes, "maxBytes"),
    age: options.maxAge === undefined ? Number.POSITIVE_INFINITY : milliseconds(options.maxAge, "maxAge"),
    window: milliseconds(options.idempotencyWindow ?? "5m", "idempotencyWindow"),
  };
}

/** True when the selection has the channel. */
export function selects(selection: ChannelSelection | undefined, channel: string): boolean {
  if (selection === undefined || selection.channels.includes(channel)) return true;
  return selection.prefixes.some((prefix) => channel.startsWith(prefix));
}

/** A witness for an entry: random, 32 bits, not zero. */
export function makeWitness(): number {
  return Math.floor(Math.random() * 0xffff_ffff) + 1;
}

/** An epoch: random, never used before. */
export function makeEpoch(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 12);
}

/** What an entry weighs against `maxBytes`. */
export function weightOf(entry: NewEntry | LogEntry): number {
  return entry.data.length + entry.type.length + entry.channel.length + (entry.key?.length ?? 0) + 32;
}

/** What `append` says to an entry whose `after` no longer holds. */
export function conflict(entry: NewEntry, last: number): SourcecastError {
  return new SourcecastError(
    "ERR_SSE_CONFLICT",
    `The channel ${quote(entry.channel)} has an entry at offset ${last}, behind the expected ${entry.after}; read it and try again`,
  );
}

/** What every method says after `close()`. */
export function closedError(): SourcecastError {
  return new SourcecastError("ERR_SSE_CLOSED", "The log was used after close(); make a new one");
}
