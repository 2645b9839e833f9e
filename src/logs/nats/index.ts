// `sourcecast/nats`: the log on a stream of NATS JetStream, for any number of processes.
import { LogError, quote, SourcecastTypeError } from "../../base/errors.ts";
import { aDuration, allow, anything, checkOptions, type OptionChecks } from "../../base/options.ts";
import { type Duration, milliseconds } from "../../base/units.ts";
import type { CompleteLog } from "../../log/complete.ts";
import type { Retention } from "../../log/log.ts";
import { retentionChecks, retentionLimits } from "../../log/retention.ts";
import { type NatsConnectionLike, notAConnection, unsupportedServer } from "./connection.ts";
import { NatsLog } from "./log.ts";

export type {
  NatsConnectionLike,
  NatsHeadersLike,
  NatsMessageLike,
  NatsPublishOptionsLike,
  NatsRequestOptionsLike,
  NatsServerInfoLike,
  NatsSubscribeOptionsLike,
  NatsSubscriptionLike,
} from "./connection.ts";

/** The options of {@link natsLog}. By default it keeps 1,000,000 entries and at most 1 GB. */
export interface NatsLogOptions extends Omit<Retention, "witnessAge"> {
  /**
   * A connection of `@nats-io/transport-node` 3, or of another transport of `@nats-io/nats-core`, made with
   * `maxReconnectAttempts: -1` so that the client never gives up. It stays open when the log is closed.
   */
  connection: NatsConnectionLike;
  /**
   * The name of the stream, which is created if it does not exist, together with `<stream>-values` for the newest entry of
   * each key. Its subjects begin with `sourcecast.<stream>.`.
   */
  stream: string;
  /** The number of servers that have the stream, 1 to 5. It applies when the log creates the stream. @default 1 */
  replicas?: number;
  /**
   * How long a publisher waits while NATS cannot be reached. The outcome is `"unknown"` after that, unless it is certain that
   * nothing was stored. @default "10s"
   */
  appendTimeout?: Duration;
  /** The domain of JetStream, if it is not that of the connected server. @default none */
  domain?: string;
}

/**
 * A log on a stream of NATS JetStream, which any number of processes share. It needs nats-server 2.12 or later, whose atomic
 * batches store the events of one call together.
 *
 * The streams are found or created with the first call. A stream that cannot be used rejects every call, before anything is
 * written.
 *
 * nats-server confirms an event before it has reached the disk, by default up to two minutes before. So a loss of power
 * may cost the newest events, which `sse:reset` declares to clients. With `sync_interval: always`, or three replicas,
 * the server waits.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for options with values that are not allowed, and for anything but a
 * connection.
 * @throws {LogError} `ERR_SSE_LOG` for a server that is too old, or has no JetStream.
 * @example
 * ```ts fragment
 * import { connect } from "@nats-io/transport-node";
 * import { createHub } from "sourcecast";
 * import { natsLog } from "sourcecast/nats";
 *
 * const connection = await connect({ servers: "localhost:4222", maxReconnectAttempts: -1 });
 * const hub = createHub({ log: natsLog({ connection, stream: "events", maxAge: "7d" }) });
 * ```
 */
export function natsLog(options: NatsLogOptions): CompleteLog {
  checkOptions(options ?? null, checks, "natsLog()");
  const { connection, stream, replicas = 1, domain, appendTimeout = "10s" } = options;
  const problem = notAConnection(connection);
  if (problem !== undefined) {
    throw new SourcecastTypeError("ERR_SSE_OPTION", `The option connection is ${quote(connection)}; ${problem}`);
  }
  if (stream === undefined) aStreamName(stream, "stream");
  const unsupported = connection.info === undefined ? undefined : unsupportedServer(connection.info);
  if (unsupported !== undefined) throw new LogError(unsupported, false);
  const limits = retentionLimits(options, { maxEvents: 1_000_000, maxBytes: "1gb", witnessAge: 0 });
  return new NatsLog(connection, {
    stream,
    replicas,
    limits,
    domain,
    appendTimeout: milliseconds(appendTimeout, "appendTimeout"),
  });
}

const aStreamName = allow("the name of a stream: letters, digits, - and _", (value) => {
  return typeof value === "string" && /^[\w-]{1,200}$/.test(value);
});

const { witnessAge: _, ...limitChecks } = retentionChecks;

const checks: OptionChecks<NatsLogOptions> = {
  ...limitChecks,
  // Its error says what was passed in its place.
  connection: anything,
  stream: aStreamName,
  replicas: allow("1 to 5", (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 5),
  appendTimeout: aDuration,
  domain: allow("the name of a domain", (value) => typeof value === "string" && /^[\w-]+$/.test(value)),
};
