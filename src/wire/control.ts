// The events in which a stream reports its own state: their names, their data, their reasons. Applications cannot send them.
import { encodeEvent } from "./encode.ts";

/** Events were lost, and this is how many. A stream continues after it. */
export interface Gap {
  /** The number of entries missed; an upper bound if `exact` is false. */
  readonly missed: number;
  /** Offset of the first missing entry of the log, where there is a log. */
  readonly from?: number;
  /** Offset of the last missing entry. */
  readonly to?: number;
  /** Why they are missing. */
  readonly reason: GapReason;
  /** False if `missed` is an upper bound. */
  readonly exact: boolean;
  /** The channels concerned, where they are known. */
  readonly channels?: readonly string[];
}

/**
 * Why entries are missing:
 *
 * - `"trimmed"`: the log no longer has them.
 * - `"unverified"`: the client was away for so long that its position can be neither confirmed nor refuted.
 * - `"missing"`: the log has a hole.
 * - `"limit"`: the client has more to catch up with than the limit `maxReplay` allows.
 * - `"cleared"`: a channel was cleared, and the client had not received all of it.
 * - `"overflow"`: the client read too slowly, and a source dropped them.
 */
export type GapReason = "trimmed" | "unverified" | "missing" | "limit" | "cleared" | "overflow";

/** The client's position does not belong to this log: the application has to load its state again. */
export interface Reset {
  /** Why the stream cannot be continued. */
  readonly reason: ResetReason;
  /** The channels concerned, where they are known. */
  readonly channels?: readonly string[];
}

/**
 * Why a stream cannot be continued:
 *
 * - `"epoch"`: the log was lost, flushed or recreated.
 * - `"ahead"`: the log lost its newest entries, the client's among them.
 * - `"diverged"`: the log lost its newest entries and has others in their place.
 * - `"unknown"`: the client's position cannot be read.
 */
export type ResetReason = "epoch" | "ahead" | "diverged" | "unknown";

/** The client's position has moved without an event for it. The `id` carries it. */
export interface Checkpoint {
  /**
   * With {@link Checkpoint.joined}, at the opening of a stream whose channels begin at two positions: the client has everything
   * up to this offset of the channels that it held.
   */
  readonly held?: number;
  /** The state of the channels that joined includes everything up to this offset. */
  readonly joined?: number;
}

/** The stream ends for now: the client should reconnect after a while. */
export interface Later {
  /** Why the stream ends. */
  readonly reason: LaterReason;
  /** Milliseconds. The same time is in the `retry` field of the event. */
  readonly retryAfter: number;
  /** With `"channels"`: how many channels one connection may have. */
  readonly limit?: number;
}

/**
 * Why a stream ends for now:
 *
 * - `"connections"`, `"connectionsPerKey"`, `"channels"`: a limit is reached.
 * - `"pipelined"`: too many streams wait on the client's connection, where each has to wait for the end of the one before.
 * - `"draining"`: the server hands its clients over to another one.
 * - `"shutdown"`: the process is stopping.
 * - `"revoked"`: the connection was revoked while it was being opened.
 * - `"error"`: something failed on the server.
 */
export type LaterReason =
  | "connections"
  | "connectionsPerKey"
  | "channels"
  | "pipelined"
  | "draining"
  | "shutdown"
  | "revoked"
  | "error";

/** Nothing follows: on one channel, or on the stream if no channel is named. A rejected channel does not end the others. */
export interface End {
  /** The channel; absent for the whole stream. */
  readonly channel?: string;
  /** Given if the client may not read on. A channel that has simply ended has no reason. */
  readonly reason?: "revoked" | "forbidden";
}

/** The control events with their data. */
export interface ControlEvents {
  /** Events are missing. */
  "sse:gap": Gap;
  /** The client's position does not belong to this log. */
  "sse:reset": Reset;
  /** The client's position has moved. */
  "sse:checkpoint": Checkpoint;
  /** The stream ends for now. */
  "sse:later": Later;
  /** Nothing follows. */
  "sse:end": End;
}

/** The name of a control event. */
export type ControlType = keyof ControlEvents;

/** The text of a control event. It always has data, since clients dispatch nothing without. */
export function encodeControl<T extends ControlType>(type: T, data: ControlEvents[T], id?: string): string {
  return encodeEvent({ type, data: JSON.stringify(data), id });
}

/**
 * The text of `sse:later`. Some clients honor a reconnection time only if an event comes with it.
 *
 * @param limit The limit that is reached, where the client can do something about it.
 */
export function encodeLater(reason: LaterReason, retryAfter: number, limit?: number): string {
  const data: Later = limit === undefined ? { reason, retryAfter } : { reason, retryAfter, limit };
  return encodeEvent({ type: "sse:later", retry: retryAfter, data: JSON.stringify(data) });
}
