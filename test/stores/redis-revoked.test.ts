/** A user of Redis who loses rights while a log runs, and gets them back. */
import { describe, expect, test } from "vitest";
import { dataOf, entry, readOn, select } from "../../src/testing/log/ask.ts";
import { ioredisClient, nodeRedisClient } from "../support/stores/redis-clients.ts";
import { openRedisLog, track } from "../support/stores/redis-log.ts";
import { redisCommand, startRedis } from "../support/stores/redis-server.ts";
import { expectToOutlive } from "../support/stores/revoked.ts";

const app = { username: "app", password: "secret" };
const allRights = "on >secret ~* &* +@all";

describe.each([
  ["node-redis", nodeRedisClient],
  ["ioredis", ioredisClient],
])("with %s", (_, open) => {
  test.each([
    ["all commands", "ACL SETUSER app -@all"],
    ["commands that write", "ACL SETUSER app -@write"],
    ["scripts", "ACL SETUSER app -@scripting"],
    ["the keys", "ACL SETUSER app resetkeys"],
    ["a command in the middle of a script", "ACL SETUSER app -zadd"],
    ["the commands of sorted sets", "ACL SETUSER app -@sortedset"],
    ["the password, and its connections", "ACL SETUSER app resetpass >other", "CLIENT KILL USER app"],
    ["the user", "ACL DELUSER app"],
  ])("%s", async (_name, ...commands) => {
    const redis = track(await startRedis());
    await redisCommand(redis, `ACL SETUSER app ${allRights}`);
    const log = await openRedisLog(redis.port, {}, (port) => open(port, app));
    await expectToOutlive(log, {
      async revoke() {
        for (const command of commands) await redisCommand(redis, command);
      },
      grant: () => redisCommand(redis, `ACL SETUSER app ${allRights}`),
    });
  });
});

test("a script that was stopped in the middle is completed, once its user has all rights again", async () => {
  const redis = track(await startRedis());
  await redisCommand(redis, `ACL SETUSER app ${allRights}`);
  const log = await openRedisLog(redis.port, {}, (port) => nodeRedisClient(port, app));
  await log.append([entry("a", "1")]);
  await redisCommand(redis, "ACL SETUSER app -zadd");
  await expect(log.append([entry("b", "2")])).rejects.toMatchObject({ code: "ERR_SSE_LOG", stored: "unknown" });
  // From then on, the missing right is found before anything is written.
  await expect(log.append([entry("b", "3")])).rejects.toMatchObject({ code: "ERR_SSE_LOG", stored: false });
  await redisCommand(redis, `ACL SETUSER app ${allRights}`);
  await log.append([entry("a", "4")]);
  expect(dataOf(await readOn(log, 0, 10))).toEqual(["1", "2", "4"]);
  // The channel is known: where its newest event is, and to prefixes.
  expect(dataOf(await log.last(1, select("b")))).toEqual(["2"]);
  expect(await redisCommand(redis, "ZSCORE {events}:last b")).toMatch(/^2/);
  expect(await redisCommand(redis, "ZSCORE {events}:channels b")).toMatch(/^0/);
});
