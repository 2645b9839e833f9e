/** Settings of the application's client that would break the connections of the log, if these had them, too. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RedisLike, redisLog } from "../../src/logs/redis/index.ts";
import { at, dataOf, entry, range, read, select } from "../../src/testing/log/ask.ts";
import { TailRecorder } from "../../src/testing/log/scenario.ts";
import { ioredisVersions, nodeRedisVersions } from "../support/stores/redis-clients.ts";
import { startRedis } from "../support/stores/redis-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

let redis: StoreServer;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis[Symbol.asyncDispose]());

/** Longer than the log's calls take, and shorter than it waits for entries. */
const commandTimeout = 500;

const nodeRedis: Record<string, object> = {
  "RESP 2": { RESP: 2 },
  "RESP 3": { RESP: 3 },
  "notifications of maintenance": { RESP: 3, maintNotifications: "auto" },
  "a cache": { RESP: 3, clientSideCache: { maxEntries: 10 } },
  "a timeout": { commandOptions: { timeout: commandTimeout } },
  "buffers as replies": { commandOptions: { typeMapping: { 36: Buffer } } },
};

const ioredis: Record<string, object> = {
  "RESP 3 and its types": { protocol: 3, replyMapping: "resp3" },
  "a timeout": { commandTimeout },
  "a prefix": { keyPrefix: "application:" },
};

type Case = [name: string, client: (port: number) => RedisLike];

const cases: Case[] = [
  ...Object.entries(nodeRedisVersions).flatMap(([version, { createClient }]) =>
    Object.entries(nodeRedis).map(
      ([name, options]): Case => [
        `node-redis ${version} with ${name}`,
        (port) => createClient({ ...options, url: `redis://127.0.0.1:${port}` }),
      ],
    ),
  ),
  ...Object.entries(ioredisVersions).flatMap(([version, { Redis }]) =>
    Object.entries(ioredis).map(
      ([name, options]): Case => [
        `ioredis ${version} with ${name}`,
        (port) => new Redis({ ...options, port, host: "127.0.0.1", lazyConnect: true }),
      ],
    ),
  ),
];

test.concurrent.each(cases)("%s", async (key, clientOf) => {
  const log = redisLog({ client: clientOf(redis.port), key, maxEvents: 100 });
  try {
    await log.append(range(1, 3).map((i) => entry("a", `${i}`)));
    const tail = new TailRecorder(log, await at(log, 0));
    await tail.count(3);
    // The tail waits for as long as one command does.
    await new Promise((resolve) => setTimeout(resolve, commandTimeout + 100));
    await log.append([entry("a", "4", { key: "k", sender: "s" }), entry("a", "5", { key: "l" })]);
    await tail.count(5);
    expect(tail.offsets).toEqual(range(1, 5));
    expect(tail.errors).toEqual([]);
    expect(dataOf((await read(log, 0, 10, select("a"))).entries)).toEqual(["1", "2", "3", "4", "5"]);
  } finally {
    await log.close();
  }
});
