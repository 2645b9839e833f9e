// The contract between a hub and what stores its events: types only.
//
// A log is one ordered sequence of entries for all channels; a connection is a position in it. Each requirement is a MUST
// on the method that it binds; `testLog` of sourcecast/testing proves them. `index.ts` exports the kit for authors.
import type { Duration, Size } from "../base/units.ts";
import type { Position } from "../wire/cursor.ts";
import type { Appended, ChannelSelection, Head, LogEntry, NewEntry, Page, TailBatch, ValuePage } from "./entry.ts";

export type {
  Appended,
  ChannelSelection,
  Floor,
  Head,
  LogEntry,
  NewEntry,
  Page,
  TailBatch,
  ValuePage,
} from "./entry.ts";
export type { Position };

/**
 * An ordered store of events, as a hub uses it. Every method rejects with `ERR_SSE_CLOSED` after `close()`, and with a {@link LogError}
 * (`ERR_SSE_LOG`) when the store cannot be reached or fails.
 */
export interface Log extends Partial<WitnessLog & LastLog & ValueLog & LocatingLog & TransactionLog & ClearingLog> {
  /** The abilities of this log beyond the required methods. MUST NOT change. The suite tests each one that is declared. */
  readonly capabilities: ReadonlySet<LogCapability>;

  /**
   * Appends entries and resolves with their positions, in the same order.
   *
   * - MUST give entries the offsets 1, 2, 3 ... without holes within an epoch, in the order in which it accepted them.
   * - MUST store with each entry a random 32-bit witness, not zero, and its predecessor's witness (`previousWitness`; for
   *   the first entry the epoch's origin witness), and return both unchanged with the entry.
   * - MUST start a new epoch, an identifier never used before (1 to 12 of `A-Z a-z 0-9 - _`), when it cannot continue the
   *   old sequence.
   * - MUST resolve only when the entries are as durable as the log promises, and a `read` after that returns them.
   * - MUST store the entries of one call next to each other, all of them or none, when it declares `atomicBatch`.
   * - MUST NOT let one call's failure affect another call, nor let retention delay a call.
   *
   * @throws {SourcecastError} `ERR_SSE_CONFLICT` when an entry's `after` does not hold, with nothing stored.
   * @throws {LogError} whose `stored` is `false` when nothing was stored, or `"unknown"` when the outcome is unknown: the
   * entries may still appear, once.
   */
  append(entries: readonly NewEntry[]): Promise<Appended[]>;

  /** The newest position. MUST be answered by the primary, never by a replica that may lag. */
  head(): Promise<Head>;

  /**
   * One page of the selected entries after the offset `after`, oldest first.
   *
   * - MUST NOT leave out a selected entry in (after, through], except trimmed ones, which `trimmed` accounts for, and, with
   *   `conflate`, superseded ones, which `conflated` counts.
   * - MUST make progress: `through > after` unless `after` is at or past the head.
   * - MUST NOT read or return more than `maxBytes` (by `weightOf`) plus one entry; the first entry is returned however
   *   large it is.
   */
  read(after: number, options: ReadOptions): Promise<Page>;

  /**
   * Delivers every entry after a position, from now on.
   *
   * - MUST deliver each entry once, in order, those of other processes too, and no batch before the handler of the previous
   *   one has returned. Superseded entries are delivered too.
   * - MUST NOT skip an entry that is still retained: on a hole, it reads again from the primary. An entry that was trimmed
   *   before it could be delivered is left out; the next entry's offset shows it.
   * - MUST check every batch against the witness of the entry before it (`previousWitness`). Where the log no longer
   * holds what the tail delivered last (a failover, a restored copy), it MUST confirm that at the primary, then
   * continue with the entry at that offset, or with the newest one if that is lower: never with a later one, which
   * would look like a continuation. In another epoch, it MUST continue with the oldest retained entry.
   * - MUST notice the change within a second even while nothing is appended by this process.
   * - MUST report errors that `onEntries` throws, and failures of the store, to `onError`, and recover from them.
   * - MUST NOT keep the process alive.
   */
  tail(after: Position, onEntries: (batch: TailBatch) => void, onError: (error: unknown) => void): Tail;

  /**
   * Releases what the log itself has opened, and nothing that was passed to it. Ends its tails. Appends called before are
   * settled first. Calling it again does nothing.
   */
  close(): Promise<void>;
}

/**
 * A name for each thing that a log may be able to do:
 *
 * - `witnesses`, `last`, `latestByKey`, `locate`: it has that method. The kit composes those that are missing.
 * - `atomicBatch`: the entries of one `append` are stored all or none.
 * - `conflation`: `read` leaves out superseded entries on request.
 * - `transaction`, `clear`: it has the method `appendIn`, or `clear`, which nothing else can stand in for.
 */
export type LogCapability =
  | "witnesses"
  | "last"
  | "latestByKey"
  | "locate"
  | "atomicBatch"
  | "conflation"
  | "transaction"
  | "clear";

/** The capability `witnesses`. */
export interface WitnessLog {
  /**
   * The witness at each offset, `undefined` where it is not known: 0 stands for the origin. Superseded entries count. A
   * log MAY keep witnesses longer than entries: only a client that was away for longer than that may get a false gap.
   */
  witnesses(offsets: readonly number[]): Promise<(number | undefined)[]>;
}

/** The capability `last`. */
export interface LastLog {
  /** The last `count` selected entries, oldest first. Superseded ones do not count. */
  last(count: number, selection: ChannelSelection): Promise<LogEntry[]>;
}

/** The capability `latestByKey`. */
export interface ValueLog {
  /**
   * The newest entry of each key of the selected channels, whether or not retention took it from the sequence, in the order
   * of their offsets: one page of those in (after, upTo].
   *
   * - MUST keep the newest entry of each key until a newer one supersedes it, whatever retention removes.
   * - MUST NOT return more than `maxBytes` plus one entry.
   */
  latestByKey(selection: ChannelSelection, options: ValueOptions): Promise<ValuePage>;
}

/** The capability `locate`. */
export interface LocatingLog {
  /** Answers what a (re)connecting client needs to know, for many clients, in one round trip, from the primary. */
  locate(questions: readonly LocateQuestion[]): Promise<Located>;
}

/** The capability `transaction`. */
export interface TransactionLog {
  /**
   * Appends entries within a transaction of the application, in the store of the log. They get their offsets some time after
   * its commit, next to each other, and after the entries of earlier calls in that transaction.
   *
   * - MUST leave no trace of the entries when the transaction is rolled back.
   * - MUST NOT make other transactions or appends wait for this one.
   *
   * @param transaction The client of the store on which the transaction was begun.
   * @param entries No entry has `after`: it is not known what will have been appended before them.
   */
  appendIn(transaction: unknown, entries: readonly NewEntry[]): Promise<void>;
}

/** The capability `clear`. */
export interface ClearingLog {
  /**
   * Erases all entries of a channel.
   *
   * - MUST leave an empty slot for each entry of the sequence (`emptySlot`): offsets and witnesses stay.
   * - MUST erase the entries that are kept as values, and forget the idempotency keys of the channel.
   * - MUST append, in the same step, the entry that `clearEntry` makes: tails deliver it, and readers that were in the middle of
   *   the channel learn from it what they have lost.
   * - MUST resolve only when no reader of the store can find data of the erased entries. A store that can erase the
   * data from its files and journals MUST have done so by then; one that cannot MUST document how long they keep it.
   *
   * @returns The position of the appended entry, `null` if the channel has no entries. Nothing is appended then.
   */
  clear(channel: string): Promise<Appended | null>;
}

/** The options of `read`. */
export interface ReadOptions {
  /** Most entries of the page, one or more. */
  readonly limit: number;
  /** Most bytes of the page, as `weightOf` counts them. */
  readonly maxBytes: number;
  /** The channels that are read. @default all channels */
  readonly selection?: ChannelSelection | undefined;
  /** Leaves out entries that a newer one of the same key supersedes. Ignored by a log without `conflation`. */
  readonly conflate: boolean;
}

/** The options of `latestByKey`. */
export interface ValueOptions {
  /** Only entries after this offset, in entries of the log. 0 for all. */
  readonly after: number;
  /** Only entries up to this offset, in entries of the log. */
  readonly upTo: number;
  /** Most bytes of the page, as `weightOf` counts them. */
  readonly maxBytes: number;
}

/** A client that connects or reconnects. */
export interface LocateQuestion {
  /** The client's position, `null` for a client without one. */
  readonly cursor: Position | null;
  /** The channels that the client asks for. */
  readonly selection: ChannelSelection;
}

/** The answers to several questions, all of one state of the log. */
export interface Located {
  /** The newest position of that state. */
  readonly head: Head;
  /** In the order of the questions. */
  readonly answers: readonly LocateAnswer[];
}

/** The answer to one client's question. */
export interface LocateAnswer {
  /**
   * Whether the log has what the cursor names: `same` witness at that offset, an `other` one (or no such epoch or offset), or
   * `unknown` where the entry is gone and no witness is kept. `same` without a cursor.
   */
  readonly verification: "same" | "other" | "unknown";
  /** The newest entry of each channel, named in full, whose newest entry is an end marker (`sse:end`); oldest first. */
  readonly ends: readonly LogEntry[];
  /** As in a {@link Page} with `conflate`. */
  readonly trimmed: number;
  /** Whether `latestByKey` has something for the selection. A log may say `true` where it would be costly to know. */
  readonly hasValues: boolean;
}

/** A running `tail`. */
export interface Tail {
  /** Ends the tail. Nothing is delivered afterwards. */
  close(): void;
}

/** How much a log keeps. The limit reached first counts; the newest entry is always kept. */
export interface Retention {
  /** Most entries. @default the log's own */
  maxEvents?: number;
  /** Most bytes of data, types and names in memory or on disk, approximately. @default the log's own */
  maxBytes?: Size;
  /** Greatest age of an entry. @default no limit */
  maxAge?: Duration;
  /** How long a repeated `idempotencyKey` is recognized. @default "5m" */
  idempotencyWindow?: Duration;
  /**
   * How long the witness of a trimmed entry is kept, so that a client of a quiet channel can resume without a false gap.
   * @default the log's own
   */
  witnessAge?: Duration;
}
