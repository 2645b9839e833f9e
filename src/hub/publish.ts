// Publishing: events are validated, encoded as text and appended to the log.
import { isPromise, withDeadline } from "../base/deadline.ts";
import { LogError, quote, SourcecastError, SourcecastTypeError } from "../base/errors.ts";
import type { NewEntry, Position } from "../log/log.ts";
import type { AnyContract } from "../wire/contract.ts";
import { formatCursor, parseCursor } from "../wire/cursor.ts";
import { assertEvent, assertNotReserved, serialize } from "../wire/encode.ts";
import { warnUnlessRoundTrip } from "../wire/round-trip.ts";
import type { Feed } from "./feed/feed.ts";
import type { LogDeadline } from "./log-deadline.ts";
import type { PublishOptions } from "./options.ts";
import type { ResolvedHubOptions } from "./resolve-options.ts";
import type { Counters } from "./stats.ts";

/** One event of several that are published together. */
export interface PublishedEvent extends PublishOptions {
  /** The event type. */
  type: string;
  /** The data; `undefined` for an event without. */
  data?: unknown;
}

/** The part of the hub that publishing uses. */
export interface PublishContext extends Pick<ResolvedHubOptions, "contract" | "limits"> {
  readonly feed: Feed;
  readonly counters: Counters;
  /** How long an append may take. */
  readonly appendDeadline: LogDeadline;
}

/** Validates events and appends them to the log. */
export class Publisher {
  readonly #context: PublishContext;
  /** The channels of events that are being checked by an asynchronous schema. */
  readonly #unchecked = new Map<Promise<unknown>, string>();
  /** Calls that wait for the feed to start. */
  #waitingForStart = 0;

  constructor(context: PublishContext) {
    this.#context = context;
  }

  /** Resolves with the cursors when the log has accepted the events. */
  publish(channel: string, events: readonly PublishedEvent[]): Promise<string[]> {
    return this.#afterStart(() => this.#publish(channel, events));
  }

  async #publish(channel: string, events: readonly PublishedEvent[]): Promise<string[]> {
    const entries = this.#check(channel, events);
    // One append for all, so that an event published later does not overtake them.
    if (!isPromise(entries)) return this.#append(entries);
    this.#unchecked.set(entries, channel);
    try {
      return this.#append(await entries);
    } finally {
      this.#unchecked.delete(entries);
    }
  }

  /**
   * Appends events within a transaction of the application. They are not counted as published: it may be rolled back.
   *
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a log without transactions.
   */
  async publishIn(transaction: object, channel: string, events: readonly PublishedEvent[]): Promise<undefined> {
    const { feed } = this.#context;
    if (feed.log.appendIn === undefined) {
      throw new SourcecastTypeError(
        "ERR_SSE_OPTION",
        "The log of this hub takes no part in transactions; use postgresLog(), or leave the option transaction out",
      );
    }
    await feed.log.appendIn(transaction, await this.#check(channel, events));
  }

  /**
   * Erases a channel.
   *
   * @returns The cursor after it, `null` if there was nothing to erase.
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a log that cannot erase.
   */
  async clear(channel: string): Promise<string | null> {
    const { log } = this.#context.feed;
    if (log.clear === undefined) {
      throw new SourcecastTypeError(
        "ERR_SSE_OPTION",
        "The log of this hub cannot clear a channel; use a log with the capability clear, such as memoryLog() or sqliteLog()",
      );
    }
    const clear = log.clear.bind(log);
    return this.#afterStart(async () => {
      await this.#checked(channel);
      const appended = await clear(channel);
      return appended && formatCursor(appended);
    });
  }

  /** Appends the end marker of a channel. Resolves with its cursor. */
  end(channel: string): Promise<string> {
    return this.#afterStart(async () => {
      await this.#checked(channel);
      const [cursor] = await this.#append([{ channel, type: "sse:end", data: JSON.stringify({ channel }) }]);
      return cursor as string;
    });
  }

  /** Waits until earlier events are on their way to the log: an end, or an erasure, may not overtake them. */
  async #checked(channel: string): Promise<void> {
    const earlier = [...this.#unchecked].flatMap(([checks, name]) => (name === channel ? checks : []));
    // Their publishers were the first to wait for these promises, so they append first.
    await Promise.allSettled(earlier);
  }

  /** A promise only where the schema of an event is asynchronous: most publishers wait for nothing but the log. */
  #check(channel: string, events: readonly PublishedEvent[]): readonly NewEntry[] | Promise<readonly NewEntry[]> {
    const { contract, limits } = this.#context;
    const entries: (NewEntry | Promise<NewEntry>)[] = [];
    try {
      for (const event of events) entries.push(entryOf(channel, event, contract, limits));
    } catch (error) {
      // Together with those that are being checked, so that a rejection of theirs is handled, too.
      entries.push(Promise.reject(error));
    }
    return entries.some(isPromise) ? Promise.all(entries) : (entries as NewEntry[]);
  }

  /**
   * Does the work once the feed follows the log. Calls that wait for that are counted until their work begins, so that a
   * later call, which finds the feed started, waits as well.
   *
   * @throws {LogError} `stored: false` for a log that does not answer.
   */
  #afterStart<T>(work: () => Promise<T>): Promise<T> {
    const { feed } = this.#context;
    if (feed.isStarted && this.#waitingForStart === 0) return work();
    this.#waitingForStart++;
    return feed.start().then(
      () => {
        this.#waitingForStart--;
        return work();
      },
      (error) => {
        this.#waitingForStart--;
        const isTimeout = error instanceof SourcecastError && error.code === "ERR_SSE_TIMEOUT";
        throw isTimeout ? new LogError(error.message, false, { cause: error }) : error;
      },
    );
  }

  async #append(entries: readonly NewEntry[]): Promise<string[]> {
    const { feed, counters, appendDeadline } = this.#context;
    const appended = await appendDeadline.limit(feed.log.append(entries), "log.append()");
    return appended.map((position) => {
      if (position.duplicate !== true) counters.published++;
      return formatCursor(position);
    });
  }
}

/**
 * Turns a published event into an entry of the log: checked against the contract, serialized, and known to be writable on
 * the wire, so that every stored event can be delivered.
 */
function entryOf(
  channel: string,
  event: PublishedEvent,
  contract: AnyContract | undefined,
  limits: ResolvedHubOptions["limits"],
): NewEntry | Promise<NewEntry> {
  const { type, data } = event;
  assertNotReserved(type);
  const encoded = contract === undefined ? serialize(data) : encodeChecked(contract, type, data);
  if (!isPromise(encoded)) return entryWith(channel, event, encoded, limits.eventSize);
  const encoding = withDeadline(encoded, limits.callbackTimeout, "The schema of an event", "limits.callbackTimeout");
  return Promise.resolve(encoding).then((text) => entryWith(channel, event, text, limits.eventSize));
}

function entryWith(channel: string, event: PublishedEvent, data: string, maxSize: number): NewEntry {
  const { type, key, sender, idempotencyKey, after } = event;
  assertSize(event, data, maxSize);
  assertEvent(type, data);
  return {
    channel,
    type,
    data,
    key,
    sender,
    idempotencyKey,
    after: after === undefined ? undefined : positionOf(after),
  };
}

/**
 * The data of an event on the wire, checked by the contract. A promise where the schema is asynchronous.
 *
 * @throws {EventContractError} for data that does not fit.
 */
export function encodeChecked(contract: AnyContract, type: string, data: unknown): string | Promise<string> {
  const encode = (value: unknown): string => {
    const text = contract.encode(type, value);
    warnUnlessRoundTrip(contract, type, value);
    return text;
  };
  const checked: unknown = contract.validate(type, data);
  return isPromise(checked) ? checked.then(encode) : encode(checked);
}

/** Type and keys of an event of this many bytes fit under any limit. */
const minNamesSize = 64;

/** The data and, together, the names that the log stores with it may not exceed the limit. */
function assertSize(event: PublishedEvent, data: string, maxSize: number): void {
  const { type, key = "", sender = "", idempotencyKey = "" } = event;
  assertFits("data", type, data, maxSize);
  assertFits("type and keys", type, type + key + sender + idempotencyKey, Math.max(maxSize, minNamesSize));
}

function assertFits(what: string, type: string, text: string, maxSize: number): void {
  // A UTF-16 code unit takes at most three bytes of UTF-8, so short text needs no measuring.
  if (text.length * 3 <= maxSize) return;
  const size = new TextEncoder().encode(text).length;
  if (size <= maxSize) return;
  throw new SourcecastError(
    "ERR_SSE_LIMIT",
    `The ${what} of the event ${quote(type)} take ${size} bytes, the limit eventSize is ${maxSize}; send less, or a link to it`,
  );
}

function positionOf(after: string): Position {
  const position = parseCursor(after);
  if (position !== null) return position;
  throw new SourcecastTypeError(
    "ERR_SSE_CURSOR",
    `The option after is ${quote(after)}; pass a cursor that dispatch() or hub.cursor() returned`,
  );
}
