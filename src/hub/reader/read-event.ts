// The events of a channel as the application reads them.
import type { LogEntry, Position } from "../../log/log.ts";
import type { AnyContract } from "../../wire/contract.ts";
import type { Gap, Reset } from "../../wire/control.ts";
import { formatCursor } from "../../wire/cursor.ts";
import type { EventData, EventMap, EventType } from "../../wire/event-types.ts";

/** An event of a channel, as `channel.read()` yields it. */
export interface ReadEventOf<Kind extends "event" | "gap" | "reset" | "end", T extends string, Data> {
  /**
   * - `"event"`: an event that was published.
   * - `"gap"`, `"reset"`: a loss; the log does not have these events any more.
   * - `"end"`: a channel has ended. Only of a prefix: the end of a channel ends its reading.
   */
  readonly kind: Kind;
  /** The event type; `sse:gap`, `sse:reset` or `sse:end` for the other kinds. */
  readonly type: T;
  /** Of an event, with a contract the value, otherwise the text as it is on the wire. */
  readonly data: Data;
  /** The position after this event: pass it as `after` to continue. */
  readonly cursor: string;
  /** The channel that it was published on. Of a loss, the name that is read. */
  readonly channel: string;
  /** When it was published, in milliseconds of Unix time. */
  readonly time: number;
  /** The data as JSON. @throws {SyntaxError} for data that is not JSON. */
  json<Value = unknown>(): Value;
}

/** Events that this reader does not get: the log does not have them any more. */
export type ReadLoss = ReadEventOf<"gap", "sse:gap", Gap> | ReadEventOf<"reset", "sse:reset", Reset>;

/** An event, a loss or an end, told apart by its `kind`. */
export type ReadEvent<E extends EventMap = false> =
  | (E extends boolean
      ? ReadEventOf<"event", string, string>
      : { [T in EventType<E>]: ReadEventOf<"event", T, EventData<E, T>> }[EventType<E>])
  | ReadLoss
  | ReadEventOf<"end", "sse:end", string>;

/** The event of an entry. An end has data of the hub's own, which no contract knows. */
export function readEntry(epoch: string, entry: LogEntry, contract: AnyContract | undefined): AnyReadEvent {
  const { type, data, offset, witness } = entry;
  const kind = type === "sse:end" ? "end" : "event";
  const value: unknown = contract === undefined || kind === "end" ? data : contract.decode(type, data);
  return new AnyReadEvent(kind, entry, value, { epoch, offset, witness });
}

/** The event that declares a loss. */
export function readLoss(kind: ReadLoss["kind"], loss: Gap | Reset, position: Position, channel: string): AnyReadEvent {
  const entry = { type: `sse:${kind}`, data: JSON.stringify(loss), channel, time: Date.now() };
  return new AnyReadEvent(kind, entry, loss, position);
}

/** Any event. The cursor is written when it is asked for. */
export class AnyReadEvent implements ReadEventOf<"event" | "gap" | "reset" | "end", string, unknown> {
  readonly kind: "event" | "gap" | "reset" | "end";
  readonly type: string;
  readonly data: unknown;
  readonly channel: string;
  readonly time: number;
  readonly #text: string;
  readonly #position: Position;

  constructor(kind: AnyReadEvent["kind"], entry: EntryLike, data: unknown, position: Position) {
    this.kind = kind;
    this.type = entry.type;
    this.data = data;
    this.channel = entry.channel;
    this.time = entry.time;
    this.#text = entry.data;
    this.#position = position;
  }

  get cursor(): string {
    return formatCursor(this.#position);
  }

  json<Value>(): Value {
    return JSON.parse(this.#text) as Value;
  }
}

/** The part of an entry that an event has. */
type EntryLike = Pick<LogEntry, "type" | "data" | "channel" | "time">;
