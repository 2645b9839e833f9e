/** Redis Sentinel: a real one promotes a replica when the primary is gone, and the log follows it. */
import * as ioredis5 from "ioredis";
import * as ioredis6 from "ioredis-6";
import * as nodeRedis6 from "redis-6";
import { expect, test } from "vitest";
import { type RedisLike, redisLog } from "../../src/logs/redis/index.ts";
import { at, dataOf, entry, range, read } from "../../src/testing/log/ask.ts";
import { TailRecorder } from "../../src/testing/log/scenario.ts";
import { eventually } from "../support/deadline.ts";
import { track } from "../support/stores/redis-log.ts";
import { redisCommand, startRedis, startSentinel } from "../support/stores/redis-server.ts";

const name = "primary";

/** Both libraries find the primary through the sentinel, whichever it is. That of node-redis 5 has no `duplicate()`. */
const clients: Record<string, (sentinel: { host: string; port: number }) => RedisLike> = {
  "node-redis 6": (sentinel) => nodeRedis6.createSentinel({ name, sentinelRootNodes: [sentinel] }),
  "ioredis 5": (sentinel) => new ioredis5.Redis({ name, sentinels: [sentinel], lazyConnect: true }),
  "ioredis 6": (sentinel) => new ioredis6.Redis({ name, sentinels: [sentinel], lazyConnect: true }),
};

test("a failover is followed with every library, and nothing that was acknowledged is lost", async () => {
  const primary = track(await startRedis());
  const follower = { replicaof: `127.0.0.1 ${primary.port}` };
  for (const _ of range(1, 2)) track(await startRedis(follower));
  // A sentinel asks for them every ten seconds: it is to learn of both with its first question.
  const replication = () => redisCommand(primary, "INFO replication");
  await eventually("the replicas follow", replication, (text) => text.split("state=online").length === 3);
  const sentinel = track(await startSentinel(name, primary));
  const info = () => redisCommand(sentinel, "INFO sentinel");
  await eventually("the sentinel knows the replicas", info, (text) => text.includes("slaves=2"), 20_000);

  const libraries = Object.entries(clients).map(([key, open]) => {
    const client = open({ host: "127.0.0.1", port: sentinel.port });
    const log = redisLog({ client, key, appendTimeout: "30s", durability: "replicas" });
    track({ [Symbol.asyncDispose]: () => log.close() });
    return { key, log };
  });
  const append = (data: string) => Promise.all(libraries.map(({ log }) => log.append([entry("a", data)])));
  await append("1");
  const tails = await Promise.all(libraries.map(async ({ log }) => new TailRecorder(log, await at(log, 0))));
  await append("2");
  for (const tail of tails) await tail.count(2);

  await primary.kill();
  const appended = append("3");
  await eventually("a replica is promoted", info, (text) => !text.includes(`:${primary.port},`), 20_000);
  await appended;
  for (const [index, { key, log }] of libraries.entries()) {
    const tail = tails[index] as TailRecorder;
    await tail.count(3);
    expect([key, ...tail.offsets]).toEqual([key, ...range(1, 3)]);
    // The first question finds that its connection has ended with the primary.
    const page = await read(log, 0, 10).catch(() => read(log, 0, 10));
    expect(dataOf(page.entries)).toEqual(["1", "2", "3"]);
  }
});
