/** A user of Redis who loses rights while a log runs, and gets them back. */
import { describe, test } from "vitest";
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
