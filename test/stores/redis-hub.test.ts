/** Hubs on Redis: everything that hubs on memory and SQLite do, the published store tests, and a storm of reconnecting clients. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { redisLog } from "../../src/logs/redis/index.ts";
import { follow, openHub } from "../support/hub.ts";
import { testPublishedStores } from "../support/published-stores/index.ts";
import { testHubs } from "../support/stores/hub-suite.ts";
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

for (const testSuite of [testHubs, testPublishedStores]) {
  testSuite("Redis", async (retention, body) => {
    const key = `events:${randomUUID()}`;
    await body(() => redisLog({ client: client.client, key, ...retention }));
  });
}

/** How many scripts and other commands the server has run, apart from those that wait for entries. */
async function commandCount(): Promise<number> {
  const stats = String(await client.send("INFO", "commandstats"));
  const counts = [...stats.matchAll(/cmdstat_(evalsha|eval|xread|info)[^:]*:calls=(\d+)/g)];
  return counts.reduce((sum, [, name, calls]) => sum + (name === "xread" ? 0 : Number(calls)), 0);
}

test("10,000 clients that reconnect, each with a channel of its own, cost tens of round trips", async () => {
  const clients = 10_000;
  const key = `events:${randomUUID()}`;
  const log = redisLog({ client: client.client, key });
  const { hub } = openHub({ log, limits: { connections: clients } });
  const cursors: string[] = [];
  const publish = (round: number) =>
    Promise.all(
      Array.from({ length: clients / 10 }, (_, i) => hub.channel(`user:${i * 10 + round}`).dispatch("n", round)),
    );
  cursors.push(...(await publish(0)));
  await publish(1);
  const last = cursors[0] as string;
  // A process that has just started has none of the events in its memory.
  await hub.close();
  const restarted = openHub({ log: redisLog({ client: client.client, key }), limits: { connections: clients } });
  await restarted.hub.cursor();
  const before = await commandCount();
  const started = performance.now();
  const streams = await Promise.all(
    Array.from({ length: clients }, (_, i) => follow(restarted.hub, `user:${i}`, { lastEventId: last })),
  );
  await Promise.all(
    streams.map((stream, i) => stream.until(() => stream.data.length === (i % 10 < 2 && i > 0 ? 1 : 0))),
  );
  const calls = (await commandCount()) - before;
  process.stdout.write(`${clients} clients: ${calls} calls, ${Math.round(performance.now() - started)} ms\n`);
  expect(calls).toBeLessThan(200);
  await Promise.all(streams.map((stream) => stream.leave()));
  await restarted.hub.close();
}, 60_000);
