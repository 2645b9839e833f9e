// The event store of servers for MCP up to 2025-11-25: a session's messages can be read again after a lost connection, in
// another process and after a restart.

import { setImmediateOrTimeout } from "../base/clock.ts";
import { quote, SourcecastError } from "../base/errors.ts";
import { aName, checkOptions, type OptionChecks, optionError } from "../base/options.ts";
import { type HubInternals, internalsOf } from "../hub/internals.ts";
import type { LogEntry, Position } from "../log/log.ts";
import { clientPage } from "../log/page-size.ts";
import { formatCursor, parseCursor } from "../wire/cursor.ts";
import { serializeJson } from "../wire/encode.ts";

/** The options of {@link eventStore}. */
export interface EventStoreOptions {
  /** The id of the session. A store returns the messages of its own session alone, whatever id a client sends. */
  session: string;
}

/** The `EventStore` of `@modelcontextprotocol/sdk`, typed by structure. */
export interface McpEventStore {
  /**
   * Stores a message, and resolves with the id of its event. A replay of the stream that is under way sends the message, too, so
   * it can be stored from within the `send` of that replay.
   */
  storeEvent(streamId: string, message: object): Promise<string>;
  /** The stream of an event; `undefined` for an id that is not of this session. */
  getStreamIdForEventId(eventId: string): Promise<string | undefined>;
  /**
   * Sends the messages of the event's stream that came after it, and resolves with the id of that stream.
   *
   * @throws {SourcecastError} `ERR_SSE_CURSOR` for an id that does not belong to this session, or if the log no longer has
   * all messages.
   */
  replayEventsAfter(
    lastEventId: string,
    target: { send: (eventId: string, message: never) => Promise<void> },
  ): Promise<string>;
  /**
   * Erases the messages of the session, when it ends.
   *
   * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a log that cannot erase: rely on its retention then.
   */
  delete(): Promise<void>;
}

/** A message, as the log has it. */
interface Stored {
  readonly stream: string;
  readonly message: object;
}

const checks: OptionChecks<EventStoreOptions> = { session: aName };

/**
 * Creates the event store of one session, for the option `eventStore` of a `StreamableHTTPServerTransport`. Pass the same id to
 * `sessionIdGenerator`.
 *
 * @param hub A hub whose log all processes share.
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { eventStore } from "sourcecast/mcp";
 *
 * const hub = createHub();
 * const store = eventStore(hub, { session: crypto.randomUUID() });
 *
 * const first = await store.storeEvent("stream 1", { jsonrpc: "2.0", method: "notifications/progress" });
 * await store.storeEvent("stream 1", { jsonrpc: "2.0", id: 1, result: {} });
 * const stream = await store.replayEventsAfter(first, { send: async (_, message) => console.log(message) });
 * console.log(stream); // stream 1
 * await hub.close();
 * ```
 */
export function eventStore(hub: object, options: EventStoreOptions): McpEventStore {
  checkOptions(options ?? {}, checks, "eventStore()");
  if (options?.session === undefined) throw optionError("session", undefined, "the id of the session");
  const internals = internalsOf(hub);
  if (internals === undefined) throw optionError("hub", hub, "a hub of createHub()");
  return new LogEventStore(internals, `mcp/session/${encodeURIComponent(options.session).replaceAll("*", "%2A")}`);
}

/** The messages of all streams of a session are on one channel, so that they can be erased together. */
class LogEventStore implements McpEventStore {
  readonly #hub: HubInternals;
  readonly #channel: string;
  readonly #replays = new Set<Replay>();

  constructor(hub: HubInternals, channel: string) {
    this.#hub = hub;
    this.#channel = channel;
  }

  async storeEvent(streamId: string, message: object): Promise<string> {
    const data = `{"stream":${serializeJson(streamId)},"message":${serializeJson(message)}}`;
    const [position] = await this.#hub.log.append([{ channel: this.#channel, type: "message", data }]);
    this.#hub.countPublished(1);
    const stored = position as Position;
    for (const replay of this.#replays) if (replay.stream === streamId) await replay.take(stored.offset);
    return formatCursor(stored);
  }

  async getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    const entry = await this.#find(eventId);
    return entry === null ? undefined : parse(entry).stream;
  }

  async replayEventsAfter(
    lastEventId: string,
    { send }: { send: (eventId: string, message: never) => Promise<void> },
  ): Promise<string> {
    const from = await this.#find(lastEventId);
    if (from === null)
      throw cursorError(lastEventId, "does not belong to this session; let the client initialize again");
    const replay = new Replay(parse(from).stream);
    this.#replays.add(replay);
    try {
      await this.#replay(from.offset, lastEventId, replay, send);
    } finally {
      // The server learns of the end first, and registers the stream of the client.
      setImmediateOrTimeout(() => {
        this.#replays.delete(replay);
        replay.release();
      });
    }
    return replay.stream;
  }

  /** Sends the messages that the stream has, and those that are stored during the replay. */
  async #replay(
    start: number,
    lastEventId: string,
    replay: Replay,
    send: (eventId: string, message: never) => Promise<void>,
  ): Promise<void> {
    replay.take((await this.#hub.log.head()).top);
    for (let after = start; after < replay.newest; ) {
      const page = await this.#hub.log.read(after, {
        ...clientPage,
        selection: { channels: [this.#channel], prefixes: [] },
        conflate: false,
      });
      if (page.trimmed > after)
        throw cursorError(lastEventId, "is too old: the log no longer has all messages after it");
      for (const entry of page.entries) {
        const stored = parse(entry);
        if (stored.stream !== replay.stream) continue;
        const cursor = formatCursor({ epoch: page.epoch, offset: entry.offset, witness: entry.witness });
        await send(cursor, stored.message as never);
      }
      after = page.through;
    }
    // In the same turn as the last comparison: no message can fall in between.
    replay.close();
  }

  async delete(): Promise<void> {
    await this.#hub.channel(this.#channel).clear();
  }

  /** The entry of an id, if it is one of this session: an id that a client sends may name any entry of the log. */
  async #find(eventId: string): Promise<LogEntry | null> {
    const position = parseCursor(eventId);
    if (position === null || position.offset === 0) return null;
    const selection = { channels: [this.#channel], prefixes: [] };
    const page = await this.#hub.log.read(position.offset - 1, { limit: 1, maxBytes: 1, selection, conflate: false });
    const [entry] = page.entries;
    const isSame = entry?.offset === position.offset && entry.witness === position.witness;
    return isSame && page.epoch === position.epoch ? entry : null;
  }
}

/**
 * A replay that is under way. A server has no stream to send a message on until it has learned that the replay is over, so a
 * message that is stored before would be sent to no client, which would never ask for it either, once it has a later id.
 */
class Replay {
  readonly stream: string;
  /** The replay goes on to this offset. */
  newest = 0;
  /** Resolves when the server has learned of the end. */
  readonly #released = Promise.withResolvers<void>();
  #isClosed = false;

  constructor(stream: string) {
    this.stream = stream;
  }

  /**
   * Leaves a message that is in the log to the replay. Nothing waits for the replay here, which may wait for the caller itself.
   *
   * @returns For a message that comes after the last one of the replay, a promise that resolves when the server can send it.
   */
  take(offset: number): Promise<void> | undefined {
    if (this.#isClosed) return this.#released.promise;
    this.newest = Math.max(this.newest, offset);
    return undefined;
  }

  close(): void {
    this.#isClosed = true;
  }

  release(): void {
    this.#released.resolve();
  }
}

function parse(entry: LogEntry): Stored {
  return JSON.parse(entry.data) as Stored;
}

function cursorError(eventId: string, found: string): SourcecastError {
  return new SourcecastError("ERR_SSE_CURSOR", `The event id ${quote(eventId)} ${found}`);
}
