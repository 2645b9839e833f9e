/** Bad input: each is rejected with the finding and the remedy, before anything is written. */
import pg from "pg";
import { createClient } from "redis";
import { describe, expect, test } from "vitest";
import { redisLog } from "../../src/logs/redis/index.ts";
import { entry } from "../../src/testing/log/ask.ts";
import { ioredisClient, nodeRedisClient } from "../support/stores/redis-clients.ts";
import { connect, openRedisLog, track } from "../support/stores/redis-log.ts";
import { redisCommand, startRedis } from "../support/stores/redis-server.ts";

describe("options", () => {
  const client = createClient();

  test.each([
    ["nothing", undefined, /The option client is undefined; pass a client of redis \(node-redis\) 5 or 6/],
    ["an address", "redis://localhost", /The option client is "redis:\/\/localhost"; pass a client/],
    ["a pool of PostgreSQL", new pg.Pool(), /The option client is an instance of (Bound)?Pool; pass a client/],
    ["a set of functions", { get: () => {}, duplicate: () => {} }, /is an object without the methods of a client/],
  ])("the client is %s", (_, wrong, message) => {
    expect(() => redisLog({ client: wrong as never })).toThrow(message);
  });

  test.each(["", "a{b", "}", "{}:events", 7])("the key is %j", (key) => {
    expect(() => redisLog({ client, key: key as never })).toThrow(
      /The option key is .*; it takes the name under which/,
    );
  });

  test("others are checked by name and by value", () => {
    expect(() => redisLog({ client, maxEvent: 5 } as never)).toThrow(/The option maxEvent .* did you mean maxEvents\?/);
    expect(() => redisLog({ client, durability: "all" as never })).toThrow(
      /durability is "all"; .*"primary" or "replicas"/,
    );
    expect(() => redisLog(undefined as never)).toThrow(/The option client is undefined/);
  });
});

test("a key that holds something else, with its name and type", async () => {
  const redis = track(await startRedis());
  for (const [command, found] of [
    ["SET {events}:entries text", 'The key "{events}:entries" holds a string'],
    ["HSET {events}:head user 17", 'The key "{events}:head" holds a hash of another program'],
    [
      "HSET {events}:head version 9",
      'The log at "events" has version 9, which this version of sourcecast does not know',
    ],
  ] as const) {
    await redisCommand(redis, command);
    const log = await openRedisLog(redis.port);
    await expect(log.append([entry("a")])).rejects.toMatchObject({
      code: "ERR_SSE_LOG",
      stored: false,
      message: expect.stringContaining(found),
    });
    expect(await redisCommand(redis, "DBSIZE")).toBe(":1");
    // Corrected, the same log works, without a restart.
    await redisCommand(redis, "FLUSHALL");
    expect((await log.append([entry("a")]))[0]?.offset).toBe(1);
    await redisCommand(redis, "FLUSHALL");
  }
});

test("a stream that another program writes to", async () => {
  const redis = track(await startRedis());
  const log = await openRedisLog(redis.port);
  await log.append([entry("a")]);
  await redisCommand(redis, "XADD {events}:entries 2-1 user 17");
  await redisCommand(redis, "HSET {events}:head top 2 witness 1");
  const read = log.read(0, { limit: 10, maxBytes: 1_000, conflate: true });
  await expect(read).rejects.toThrow(
    /another program writes to its stream: use another key for the log: .*an entry has the fields user 17/,
  );
});

describe.each([
  ["node-redis", nodeRedisClient],
  ["ioredis", ioredisClient],
])("a user without the privileges, with %s", (_, open) => {
  test.each([
    ["a command", "+@all -xadd ~*", /XADD.*can't run this command/],
    ["scripts", "+@all -@scripting ~*", /NOPERM.*eval/i],
    ["the keys", "+@all ~other:*", /NOPERM/i],
  ])("%s", async (_name, rules, found) => {
    const redis = track(await startRedis());
    await redisCommand(redis, `ACL SETUSER limited on >secret ${rules}`);
    const { client, close } = await open(redis.port, { username: "limited", password: "secret" });
    const log = redisLog({ client, key: "events" });
    try {
      const appending = log.append([entry("a")]);
      await expect(appending).rejects.toMatchObject({
        code: "ERR_SSE_LOG",
        stored: false,
        message: expect.stringMatching(found),
      });
      await expect(appending).rejects.toThrow(
        /allow .* keys.*, and all commands of streams, hashes, sorted sets and scripts/,
      );
      expect(await redisCommand(redis, "DBSIZE")).toBe(":0");
    } finally {
      await log.close();
      close();
    }
  });
});

test("a wrong password", async () => {
  const redis = track(await startRedis({ requirepass: "right" }));
  const client = createClient({ password: "wrong", socket: { port: redis.port, host: "127.0.0.1" } });
  const log = redisLog({ client, appendTimeout: "1s" });
  await expect(log.append([entry("a")])).rejects.toMatchObject({
    code: "ERR_SSE_LOG",
    message: expect.stringMatching(/WRONGPASS/),
  });
  await log.close();
});

test("a server that is too old", async () => {
  // No package of such a version can be installed any longer: a client that says so stands for it.
  const old = {
    status: "ready",
    call: async (command: string) =>
      command === "INFO" ? "# Server\r\nredis_version:6.0.16\r\n" : Promise.reject(new Error(command)),
    connect: async () => {},
    disconnect() {},
    on() {},
    duplicate: () => old,
  };
  const log = redisLog({ client: old });
  await expect(log.head()).rejects.toThrow("The server is Redis 6.0.16; a log needs 6.2 or later, or Valkey");
  await log.close();
});

test("two processes with different options, until the first one has ended", async () => {
  const redis = track(await startRedis());
  const first = await openRedisLog(redis.port, { maxEvents: 1_000 });
  await first.append([entry("a")]);
  const second = await openRedisLog(redis.port, { maxEvents: 500 });
  await expect(second.append([entry("a")])).rejects.toThrow(
    /Another process uses the log at "events" with maxEvents 1000, .*and this one has maxEvents 500, .*use the same options/,
  );
  expect((await first.head()).top).toBe(1);
  const same = await openRedisLog(redis.port, { maxEvents: 1_000 });
  expect((await same.append([entry("a")]))[0]?.offset).toBe(2);
  await same.close();
  await first.close();
  expect((await second.append([entry("a")]))[0]?.offset).toBe(3);
});

test("a client that is in use, in any way, stays as it is", async () => {
  const redis = track(await startRedis());
  const { client, send } = await connect(redis.port);
  const log = redisLog({ client, key: "{app}:events" });
  await log.append([entry("a")]);
  await log.close();
  expect(await send("PING")).toBe("PONG");
  expect(await send("KEYS", "*")).toEqual(expect.arrayContaining(["{app}:events:head", "{app}:events:entries"]));
});
