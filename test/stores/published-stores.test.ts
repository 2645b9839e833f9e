/** The published store tests on Redis. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { redisLog } from "../../src/logs/redis/index.ts";
import { testPublishedStores } from "../support/published-stores/index.ts";
import { nodeRedisClient, type OpenClient } from "../support/stores/redis-clients.ts";
import { startRedis } from "../support/stores/redis-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

let redis: StoreServer;
let client: OpenClient;

beforeAll(async () => {
  redis = await startRedis();
  client = await nodeRedisClient(redis.port);
});

afterAll(async () => {
  client.close();
  await redis[Symbol.asyncDispose]();
});

testPublishedStores("Redis", async (retention, body) => {
  const key = `events:${randomUUID()}`;
  await body(() => redisLog({ client: client.client, key, ...retention }));
});
