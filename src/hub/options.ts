import type { Duration, Size } from "../base/units.ts";
import type { CorsOptions } from "../http/cors.ts";
import type { HeaderOverrides } from "../http/headers.ts";
import type { RequestLike } from "../http/request.ts";
import type { Log } from "../log/log.ts";
import type { ContractFor } from "../source/options.ts";
import type { EventMap } from "../wire/event-types.ts";
import type { Retry } from "../wire/retry.ts";
import type { PresencePlugin } from "./presence.ts";

/** Where a background failure came from. */
export type FailureStage =
  | "attach"
  | "publish"
  | "tail"
  | "replay"
  | "filter"
  | "authorize"
  | "gap"
  | "snapshot"
  | "presence";

/** Told of failures that happen where no caller waits. Nothing is thrown in their place. */
export type OnError = (error: unknown, context: { stage: FailureStage }) => void;

/** The question whether a request may follow a channel. Anything but `true` is a no. */
export type Authorize = (subscription: { request: RequestLike; channel: string }) => boolean | Promise<boolean>;

/** The state of channels as events, and the position in the log at which it was taken. */
export interface Snapshot {
  events: readonly { type: string; data?: unknown }[];
  /** A position taken before the state was read. @default the one that the function was called with */
  cursor?: string;
}

/**
 * Reads the present state of channels, for a client that has missed something.
 *
 * @param cursor The position of the log at the moment of the call: what comes behind it is sent after the snapshot.
 */
export type SnapshotFunction = (
  request: RequestLike,
  channels: readonly string[],
  cursor: string,
) => Snapshot | Promise<Snapshot>;

/** What a hub allows. At a limit new ones are turned away; nobody who is connected is ever put out for a newcomer. */
export interface Limits {
  /** Connections of this process. @default no limit */
  connections?: number;
  /** Connections of this process with the same `key`. @default no limit */
  connectionsPerKey?: number;
  /** Channels and prefixes of one connection. @default 100 */
  channels?: number;
  /** Data of one event. @default "1mb" */
  eventSize?: Size;
  /** Events that a reconnecting client is given at most; the rest is declared as a gap. @default 100_000 */
  maxReplay?: number;
  /** How long a connection may last, less a random tenth. Its client reconnects and resumes. @default no limit */
  maxLifetime?: Duration;
  /** How long a connection may not read while events wait for it. @default "30s" */
  stallTimeout?: Duration;
}

/** The options of {@link createHub}. */
export interface HubOptions<E extends EventMap = false> {
  /** What keeps the events. @default memoryLog() */
  log?: Log;
  /** The events that may be published, with their schemas. @default any */
  events?: ContractFor<E>;
  /** Names the hub in what it measures. @default "default" */
  name?: string;
  /**
   * Silence after which a client hears a comment, or a checkpoint if its position moved; `false` for never.
   * @default "30s", on Bun "8s"
   */
  keepAlive?: Duration | false;
  /** Reconnection time that clients are told. @default ["2s", "6s"] */
  retry?: Retry;
  limits?: Limits;
  /** Asked when a client subscribes, for what it is given again after a reconnect, and every `reauthorize`. @default all may */
  authorize?: Authorize;
  /** How often those who are connected are asked for again. @default never */
  reauthorize?: Duration;
  /** The answer to a gap or a reset: the present state in place of the events that are missing. */
  snapshot?: SnapshotFunction;
  /** Told of every gap and reset that a client is about to hear. */
  onLoss?: (loss: Loss) => void;
  /** Told of background failures. @default console.error */
  onError?: OnError;
  /** What is kept in memory for those who lag, beside the log. @default 4096 events, "16mb" */
  ring?: { maxEvents?: number; maxBytes?: Size };
  /** `presence()` of `sourcecast/presence`, for subscriptions with a `member` and `channel.members()`. @default none */
  presence?: PresencePlugin;
  /** Ends the streams when the process gets SIGTERM or SIGHUP. @default true */
  closeOnSignal?: boolean;
}

/** A loss that is declared to a client. */
export type Loss =
  | {
      kind: "gap";
      request: RequestLike;
      channels: readonly string[];
      missed: number;
      from: number;
      to: number;
      reason: string;
    }
  | { kind: "reset"; request: RequestLike; channels: readonly string[]; reason: string };

/** What a subscription's filter sees of an event. */
export interface FilteredEvent {
  readonly channel: string;
  readonly type: string;
  /** The data as text, as it goes on the wire. */
  readonly data: string;
  readonly time: number;
}

/** The options of one subscription. */
export interface SubscribeOptions {
  /** Names, and prefixes where a name ends in `*`. */
  channels: readonly string[];
  /** How many of the last events a client without a cursor is given. @default 0 */
  rewind?: number;
  /** Leaves events out for this client. */
  filter?: (event: FilteredEvent) => boolean;
  /** Events that were dispatched with the same `sender` are left out: "not to the one who sent it". */
  sender?: string;
  /** Whose connection this is, for `limits.connectionsPerKey` and `hub.revoke`: a user, an address. */
  key?: string;
  /**
   * The user who is present on the channels while this connection lasts, except on prefixes; see `channel.members()`.
   * Connections with the same `id` are one member. Needs a hub with the option `presence`.
   */
  member?: { id: string; data?: unknown };
  /** Added to the header of the response. */
  headers?: HeaderOverrides;
  /** Pages of other origins that may read the stream. */
  cors?: CorsOptions;
  /** As in {@link HubOptions}, for this subscription alone. */
  snapshot?: SnapshotFunction;
  /** Over a limit, or while draining, 503 with `retry-after`: for clients that are no native `EventSource`. @default false */
  rejectOverload?: boolean;
}

/** What may accompany an event on a channel. */
export interface PublishOptions {
  /** A later event of the channel with the same key supersedes this one for who has not read it; the newest is kept. */
  key?: string;
  /** Subscriptions with this `sender` do not get the event. */
  sender?: string;
  /** A repeated publish with the same key, within the window of the log, returns the first one's cursor. */
  idempotencyKey?: string;
  /** A cursor: refused with `ERR_SSE_CONFLICT` if the channel has an event behind it. */
  after?: string;
}
