// The things that a client hands to its consumers: events, losses, status.
import type { AnyContract, ClientEventsOf } from "../wire/contract.ts";
import type { ParsedEvent } from "../wire/parse.ts";
import type { StreamError } from "./errors.ts";

/** An event without a contract: its data is text. */
export interface TextEvent {
  /** The event type. */
  readonly type: string;
  /** The data. */
  readonly data: string;
  /** The event's own id, if it has one. */
  readonly id: string | undefined;
  /** The position after this event. */
  readonly lastEventId: string;
  /** The channel, on a stream that labels its events. */
  readonly channel: string | undefined;
  /** The data as JSON. @throws {SyntaxError} for data that is not JSON. */
  json<T = unknown>(): T;
}

/** An event under the contract `C`: one of a union, told apart by its `type`. */
export type ContractEvent<C> = {
  [T in keyof ClientEventsOf<C> & string]: Omit<TextEvent, "type" | "data"> & {
    readonly type: T;
    readonly data: ClientEventsOf<C>[T];
  };
}[keyof ClientEventsOf<C> & string];

/** An event as consumers receive it. */
export type StreamEvent<C extends AnyContract | undefined> = C extends AnyContract ? ContractEvent<C> : TextEvent;

/** The types of events under the contract `C`; any without one. */
export type EventTypeOf<C> = C extends AnyContract ? keyof ClientEventsOf<C> & string : string;
/** The data of an event of the type `T`. */
export type EventDataOf<C, T> = C extends AnyContract
  ? T extends keyof ClientEventsOf<C>
    ? ClientEventsOf<C>[T]
    : never
  : string;
/** An event of the type `T`. */
export type EventOfType<C extends AnyContract | undefined, T> = C extends AnyContract
  ? Extract<StreamEvent<C>, { type: T }>
  : TextEvent;

/** Events that this client did not receive. */
export type StreamLoss =
  /** Entries of the log were trimmed, or left out (`sse:gap`). */
  | {
      readonly kind: "gap";
      /** How many; an upper bound if `exact` is false. */
      readonly missed: number;
      readonly reason: string;
      readonly exact: boolean;
      readonly from?: number;
      readonly to?: number;
      readonly channels?: readonly string[];
    }
  /** The client's position means nothing in this log: load the state again (`sse:reset`). */
  | { readonly kind: "reset"; readonly reason: string; readonly channels?: readonly string[] }
  /** An iterator was too slow, and dropped its oldest events. */
  | { readonly kind: "overflow"; readonly missed: number };

/** The state of a stream, for a status line. */
export interface StreamStatus {
  /**
   * - `connecting`: a connection is being opened.
   * - `open`: events arrive.
   * - `stale`: open, but idle for longer than the server's keep-alive.
   * - `paused`: a consumer is full, and reading has stopped.
   * - `retrying`: the next attempt is at `retryAt`.
   * - `offline`: as `retrying`, and the runtime says that there is no network.
   * - `closed`: for good.
   */
  readonly state: "connecting" | "open" | "stale" | "retrying" | "offline" | "paused" | "closed";
  /** Attempts since the stream was last healthy, this one included; 0 while it is. */
  readonly attempt: number;
  /** When the next attempt is due, in milliseconds of Unix time. */
  readonly retryAt: number | undefined;
  /** The error that ended the connection before. */
  readonly error: StreamError | undefined;
}

/** How a stream ended. */
export interface StreamClosed {
  /** `closed` by `close()`, `aborted` by the signal, `ended` by the server, `failed` with `error`. */
  readonly reason: "closed" | "aborted" | "ended" | "failed";
  /** The error of a stream that failed. */
  readonly error: StreamError | undefined;
}

/** The event that consumers receive, from the one that was parsed, or from one whose data is decoded. */
export class ReceivedEvent implements TextEvent {
  readonly type: string;
  readonly data: string;
  readonly id: string | undefined;
  readonly lastEventId: string;
  readonly channel: string | undefined;
  readonly #text: string;

  constructor({ type, data, id, lastEventId, channel }: ParsedEvent, decoded: unknown) {
    this.type = type;
    this.data = decoded as string;
    this.id = id;
    this.lastEventId = lastEventId;
    this.channel = channel;
    this.#text = data;
  }

  json<T>(): T {
    return JSON.parse(this.#text) as T;
  }
}

/** True for an event in which a stream reports its own state: it reaches consumers as a loss, an end or a position. */
export function isControlType(type: string): boolean {
  return /^sse:(gap|reset|checkpoint|end|later)$/.test(type);
}

/** The loss that `sse:gap` or `sse:reset` declares. Fields of another type than this package sends are left out. */
export function toLoss(event: ParsedEvent): StreamLoss {
  const { missed, from, to, reason, exact, channels } = readControlData(event);
  const why = typeof reason === "string" ? reason : "unknown";
  const which = Array.isArray(channels) ? { channels: channels.filter((name) => typeof name === "string") } : {};
  if (event.type === "sse:reset") return { kind: "reset", reason: why, ...which };
  const isCounted = typeof missed === "number" && missed >= 0;
  return {
    kind: "gap",
    missed: isCounted ? missed : 0,
    ...(typeof from === "number" && { from }),
    ...(typeof to === "number" && { to }),
    reason: why,
    exact: isCounted && exact === true,
    ...which,
  };
}

/** The data of a control event: an object, whatever arrives. */
export function readControlData({ data }: ParsedEvent): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
