// `sourcecast/redis`: a log on Redis or Valkey, for any number of processes.
import { aDuration, allow, anything, checkOptions, type OptionChecks } from "../../base/options.ts";
import { type Duration, milliseconds } from "../../base/units.ts";
import type { CompleteLog } from "../../log/complete.ts";
import type { Retention } from "../../log/log.ts";
import { retentionChecks, retentionLimits } from "../../log/retention.ts";
import { connectorOf, type RedisLike } from "./client.ts";
import { checkKey } from "./keys.ts";
import { RedisLog } from "./log.ts";

export type { RedisLike };

/** The options of {@link redisLog}. By default it keeps 100,000 entries and at most 256 MB. */
export interface RedisLogOptions extends Retention {
  /**
   * A client: `createClient()` or `createCluster()` of `redis` (node-redis) 5 or 6, `createSentinel()` of 6, `new
   * Redis()` or `new Cluster()` of `ioredis` 5 or 6, or Bun's `RedisClient`. The log opens two connections of its own
   * with the configuration of the client, and closes them: one for its calls, and one that waits for new entries. The
   * client itself may be in use, and need not be connected.
   */
  client: RedisLike;
  /**
   * The name of the log. Its keys begin with `{name}:`, so that all of them are in one slot of a cluster; a name with a hash
   * tag of its own, such as `{app}:events`, is used as it is. @default "sourcecast"
   */
  key?: string;
  /**
   * When an event counts as accepted: with `"primary"` when the primary has stored it; with `"replicas"` when a replica
   * has it, too (`WAIT`), on a connection of its own. An event that only the primary has is lost if a replica without
   * it is promoted; clients are told. @default "primary"
   */
  durability?: "primary" | "replicas";
  /**
   * How long a publisher waits while Redis cannot be reached. The outcome is `"unknown"` after that, unless it is certain that
   * nothing was stored. @default "10s"
   */
  appendTimeout?: Duration;
  /**
   * How long the witness of a trimmed entry is kept, so that a client of a quiet channel can resume without a false gap. At
   * most 4 million witnesses are kept, which take 16 MB. @default "1d"
   */
  witnessAge?: Duration;
}

/**
 * A log on Redis 6.2 or later, Valkey, or Redis Cluster, which any number of processes may use at once. Everything that
 * is published in one tick is stored by one call of a script.
 *
 * Processes that share a log must have the same options. The first use checks the server, the keys and the permissions
 * before it writes: if it finds something wrong, the error says so, and the next use checks again.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for a client of another library, and for options with values that are not
 * allowed.
 * @example
 * ```ts
 * import { createHub } from "sourcecast";
 * import { type RedisLike, redisLog } from "sourcecast/redis";
 *
 * function hubOn(client: RedisLike) {
 *   return createHub({ log: redisLog({ client, key: "events", maxAge: "1d" }) });
 * }
 * ```
 */
export function redisLog(options: RedisLogOptions): CompleteLog {
  checkOptions(options, redisChecks, "redisLog()");
  const { key = "sourcecast", durability = "primary", appendTimeout = "10s" } = options ?? {};
  checkKey(key);
  return new RedisLog({
    connect: connectorOf(options?.client),
    key,
    limits: retentionLimits(options, { maxEvents: 100_000, maxBytes: "256mb", witnessAge: "1d" }),
    replicas: durability === "replicas" ? 1 : 0,
    appendTimeout: milliseconds(appendTimeout, "appendTimeout"),
  });
}

const redisChecks: OptionChecks<RedisLogOptions> = {
  ...retentionChecks,
  // Errors about these two say more than a check of one value can.
  client: anything,
  key: anything,
  durability: allow('"primary" or "replicas"', (value) => value === "primary" || value === "replicas"),
  appendTimeout: aDuration,
};
