// The options of a hub, of a subscription and of a published event, and the functions that applications pass in them.
import type { Duration, Size } from "../base/units.ts";
import type { Compress } from "../compression/options.ts";
import type { CorsOptions } from "../http/cors.ts";
import type { HeaderOverrides } from "../http/headers.ts";
import type { RequestLike } from "../http/request.ts";
import type { Log } from "../log/log.ts";
import type { ContractFor } from "../source/options.ts";
import type { EventMap } from "../wire/event-types.ts";
import type { Retry } from "../wire/retry.ts";
import type { PresencePlugin } from "./presence.ts";

/** The operation in which a background failure occurred. */
export type FailureStage =
  | "attach"
  | "request"
  | "publish"
  | "tail"
  | "replay"
  | "filter"
  | "authorize"
  | "gap"
  | "snapshot"
  | "subscribe"
  | "presence";

/** Called with failures that no caller waits for. They are not thrown anywhere else. */
export type OnError = (error: unknown, context: { stage: FailureStage }) => void;

/** Decides whether a request may subscribe to a channel. Any result but `true` rejects it. */
export type Authorize = (subscription: { request: RequestLike; channel: string }) => boolean | Promise<boolean>;

/** The state of channels as events, and the position in the log at which it was read. */
export interface Snapshot {
  /** The state, as events that the client receives in this order. */
  events: readonly { type: string; data?: unknown }[];
  /** A cursor taken before the state was read. @default the cursor that the function was called with */
  cursor?: string;
}

/**
 * Reads the current state of channels, for a client that missed events.
 *
 * @param request The client's request.
 * @param channels The channels and prefixes of the subscription.
 * @param cursor The position of the log at the time of the call. Events after it are sent after the snapshot.
 */
export type SnapshotFunction = (
  request: RequestLike,
  channels: readonly string[],
  cursor: string,
) => Snapshot | Promise<Snapshot>;

/** The limits of a hub. At a limit, new connections are rejected; open connections are never closed to make room. */
export interface Limits {
  /** Most connections of this process. @default no limit */
  connections?: number;
  /** Most connections of this process with the same `key`. @default no limit */
  connectionsPerKey?: number;
  /** Most channels and prefixes of one connection. @default 100 */
  channels?: number;
  /**
   * Largest data of one event, and largest type and keys together. A larger event is rejected with `ERR_SSE_LIMIT`.
   * @default "1mb"
   */
  eventSize?: Size;
  /** Most events that are replayed to a reconnecting client; older ones are declared as a gap. @default 100_000 */
  maxReplay?: number;
  /** How long a connection may last, less up to a tenth at random. Its client reconnects and resumes. @default no limit */
  maxLifetime?: Duration;
  /**
   * How long `authorize` and `snapshot` may take. After that `onError` is called with `ERR_SSE_TIMEOUT`, nothing is delivered,
   * and the client is told to retry. @default "10s"
   */
  callbackTimeout?: Duration;
  /**
   * How long the log may take to answer a question of one connection. After that `onError` is called with `ERR_SSE_TIMEOUT`,
   * the stream ends, and the client is told to retry. @default "5s"
   */
  logTimeout?: Duration;
  /**
   * How long a publisher may wait for the log. After that it gets `ERR_SSE_LOG` with `stored: "unknown"`. The logs of this
   * package settle earlier, as their own options say; this is the limit for any log. @default "75s"
   */
  publishTimeout?: Duration;
  /**
   * How long a connection may go without taking a byte while events wait for it. After that, it is closed with the
   * reason `stalled`.
   * @default "30s"
   */
  stallTimeout?: Duration;
}

/** The options of {@link createHub}. */
export interface HubOptions<E extends EventMap = false> {
  /** The log that stores the events. The hub closes it in `close()`. @default memoryLog() */
  log?: Log;
  /** The contract of the events, from `defineEvents()` of `sourcecast/contract`. @default any event */
  events?: ContractFor<E>;
  /** The name of the hub in its metrics. @default "default" */
  name?: string;
  /**
   * Idle time after which a client receives a comment, or a checkpoint if its position has moved; `false` for never. A number
   * is in milliseconds. @default "15s", on Bun "8s"
   */
  keepAlive?: Duration | false;
  /** Time after which clients reconnect: fixed, or drawn from a range for each connection. @default ["2s", "6s"] */
  retry?: Retry;
  /** Limits on connections, events and replays. @default those of {@link Limits} */
  limits?: Limits;
  /** Called when a client subscribes, before events are replayed to it, and every `reauthorize`. @default allows everyone */
  authorize?: Authorize;
  /** How often `authorize` runs again for every open connection. @default never */
  reauthorize?: Duration;
  /** Called at a gap or a reset: returns the current state, which is sent instead of the missing events. @default none */
  snapshot?: SnapshotFunction;
  /** Called with every gap and reset before it is declared to the client. @default none */
  onLoss?: (loss: Loss) => void;
  /** Called with background failures. @default console.error */
  onError?: OnError;
  /** How many encoded events are kept in memory for connections that lag. @default 4096 events, "16mb" */
  ring?: { maxEvents?: number; maxBytes?: Size };
  /** `presence()` of `sourcecast/presence`, for subscriptions with a `member` and `channel.members()`. @default none */
  presence?: PresencePlugin;
  /** Ends the streams when the process gets SIGTERM or SIGHUP. @default true */
  closeOnSignal?: boolean;
  /**
   * Compresses the streams of clients that accept gzip: each event once for all subscriptions of the same channels, whatever
   * their number. Subscriptions with a `filter` or a `sender`, and runtimes without zlib, send without compression.
   * @default false
   */
  compress?: Compress;
}

/** The options of {@link Hub.channel}. */
export interface ChannelOptions {
  /** As in {@link HubOptions}, for the responses of this channel. @default that of the hub */
  compress?: Compress;
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

/** An event as a subscription's filter sees it. */
export interface FilteredEvent {
  /** The channel that the event was published on. */
  readonly channel: string;
  /** The event type. */
  readonly type: string;
  /** The data as it is written on the wire. */
  readonly data: string;
  /** When the event was published, in milliseconds of Unix time. */
  readonly time: number;
}

/** An event of another protocol that reports the state of a stream. */
export interface ControlEvent {
  /** The event type. @default none, which is `message` */
  type?: string;
  /** A string is sent as it is, anything else as JSON. */
  data: unknown;
}

/**
 * How a stream reports its own state to clients of another protocol. Such a stream has no events of the hub itself: it
 * has no checkpoints, and its keep-alives are comments.
 */
export interface StreamControl {
  /** The event after the last one of all channels; `false` if the protocol has none. @default false */
  end?: ControlEvent | false;
  /**
   * Makes the events that declare a loss. The stream ends with them, and a client that reconnects after it gets 204. @default
   * `sse:gap` or `sse:reset`, which clients of other protocols may reject
   */
  loss?: (loss: Loss) => ControlEvent | readonly ControlEvent[];
}

/** The options of one subscription. */
export interface SubscribeOptions {
  /** Channel names. A name that ends in `*` stands for every channel with that prefix. */
  channels: readonly string[];
  /**
   * Additional channels, which start as for a new client, with `from`, even if the client has a position.
   * `channelsOf()` reads them from a request. @default none
   */
  join?: readonly string[];
  /**
   * Writes the name of its channel into each event, in the field `channel`, which clients that do not know it ignore. A
   * channel that the client may not read is declared with `sse:end`, and the others continue. @default false
   */
  label?: boolean;
  /**
   * Channels that the client asked for and may not read, from `channelsOf()`: with `label` each of them is declared, without it
   * the request gets 403. @default none
   */
  forbidden?: readonly string[];
  /**
   * Where a client without a position of its own begins:
   *
   * - `"now"`: with the events that are published from now on.
   * - `"start"`: with the oldest event that the log retains. Older ones are not declared as a gap.
   * - A cursor, such as that of a page's state: with the events after it. Those that the log no longer retains are declared.
   *
   * @default "now"
   */
  from?: "now" | "start" | (string & {});
  /** Number of past events that a client without a position receives first, with `from: "now"`. @default 0 */
  rewind?: number;
  /** Called for each event; the client receives it only if the result is `true`. @default every event */
  filter?: (event: FilteredEvent) => boolean;
  /** Leaves out events that were published with the same `sender`: a client does not receive its own events. @default none */
  sender?: string;
  /** The user or address of the connection, for `limits.connectionsPerKey` and `hub.revoke()`. @default none */
  key?: string;
  /**
   * The user that is present on the channels, except prefixes, while this connection is open; see `channel.members()`.
   * Connections with the same `id` are one member. Requires the hub option `presence`. @default none
   */
  member?: { id: string; data?: unknown };
  /** Response headers in addition to the defaults; `null` removes a default. @default none */
  headers?: HeaderOverrides;
  /** Pages of other origins that may read the stream. @default none */
  cors?: CorsOptions;
  /**
   * For clients of another protocol, such as those of LLM APIs: how the stream reports its end and a loss in their terms. Not
   * together with `label`. @default the hub's own events
   */
  control?: StreamControl;
  /** As in {@link HubOptions}, for this subscription only. @default that of the hub */
  snapshot?: SnapshotFunction;
  /** As in {@link HubOptions}, for this subscription only. @default that of the hub */
  compress?: Compress;
  /**
   * Answers 503 with `retry-after` over a limit and while draining. Only for clients other than a native `EventSource`, which
   * never reconnects after a 503. @default false, with `control` true
   */
  rejectOverload?: boolean;
}

/** The options of one published event. */
export interface PublishOptions {
  /**
   * Readers that lag receive only the latest event of each key. The latest one is kept regardless of retention.
   * @default none
   */
  key?: string;
  /** Subscriptions with this `sender` do not receive the event. @default none */
  sender?: string;
  /**
   * Publishing again with the same key, within the log's window, stores nothing and returns the cursor of the first event.
   * @default none
   */
  idempotencyKey?: string;
  /** A cursor. The event is rejected with `ERR_SSE_CONFLICT` if the channel has a later event. @default none */
  after?: string;
}

/** The transaction of the application within which events are published. */
export interface WithinTransaction {
  /**
   * The client on which the application began the transaction, in the database that the log is in. If the transaction
   * commits, the events are published shortly afterwards; if it is rolled back, they never existed. The log must
   * support that, as `postgresLog()` does.
   */
  transaction: object;
}

/** The options of an event that is published within a transaction: it has no cursor before the commit, and no `after`. */
export interface TransactionOptions extends Omit<PublishOptions, "after">, WithinTransaction {}
