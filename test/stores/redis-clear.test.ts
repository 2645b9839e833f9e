/** `clear()` on a real Redis: over several slices, with other clearings and retention at the same time, and down to the dump of the server. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CompleteLog } from "../../src/log/complete.ts";
import type { Head } from "../../src/log/index.ts";
import { at, dataOf, entry, range, readOn, select } from "../../src/testing/log/ask.ts";
import { TailRecorder } from "../../src/testing/log/scenario.ts";
import { eventually } from "../support/deadline.ts";
import { follow, type HubClient, openHub } from "../support/hub.ts";
import { nodeRedisClient } from "../support/stores/redis-clients.ts";
import { connect, openRedisLog, track } from "../support/stores/redis-log.ts";
import { redisCommand, startRedis } from "../support/stores/redis-server.ts";

function clear(log: CompleteLog, channel: string) {
  return (log as Required<CompleteLog>).clear(channel);
}

test("nothing of the channel is left in a dump of the server, of trimmed entries neither", async () => {
  const redis = track(await startRedis({ rdbcompression: "no" }));
  const log = await openRedisLog(redis.port, { maxEvents: 150 });
  for (const n of range(1, 200)) {
    const once = { idempotencyKey: `secret-once-${n}`, ...(n % 3 === 0 && { key: `secret-key-${n % 12}` }) };
    await log.append([
      entry("chat", `secret-data-${n}`, { ...once, sender: "secret-sender" }),
      entry("b", `kept-${n}`),
    ]);
  }
  await eventually(
    "it is trimmed",
    () => log.head(),
    ({ floor }) => floor.offset === 250,
  );
  const dump = async (): Promise<string> => {
    await redisCommand(redis, "SAVE");
    return readFileSync(join(redis.folder, "dump.rdb"), "latin1");
  };
  expect(await dump()).toMatch(/secret-data-199/);
  await clear(log, "chat");
  const after = await dump();
  expect([after.match(/secret-\w+-?\d*/g), after.includes("kept-200")]).toEqual([null, true]);
  expect(await redisCommand(redis, "EXISTS {events}:copy")).toBe(":0");
});

test("channels that are cleared at the same time by several processes, while others publish", async () => {
  const redis = track(await startRedis());
  const [a, b] = [
    await openRedisLog(redis.port, { maxEvents: 2_500 }),
    await openRedisLog(redis.port, { maxEvents: 2_500 }),
  ];
  const tail = new TailRecorder(b, await at(b, 0));
  // More than a slice copies, and retention would remove some of them.
  await a.append(range(1, 1_200).flatMap((n) => ["x", "y"].map((name) => entry(name, `secret ${n}`))));
  await tail.count(2_400);
  const publishing = (async () => {
    for (const n of range(1, 200)) await a.append([entry("z", `${n}`)]);
  })();
  const cleared = await Promise.all([clear(a, "x"), clear(b, "y"), clear(b, "x")]);
  await publishing;
  // Of two that clear the same channel, the second one finds the entry of the first.
  expect(cleared.every((position) => position !== null)).toBe(true);
  const { top } = await a.head();
  const isTrimmed = ({ floor }: Head) => floor.offset === top - 2_500;
  const { floor } = await eventually("it is trimmed", () => a.head(), isTrimmed);
  await tail.count(top);
  expect(tail.offsets).toEqual(range(1, top));
  const rest = await readOn(a, floor.offset, 500);
  expect(dataOf(rest).filter((data) => data.startsWith("secret"))).toEqual([]);
  expect(dataOf(await readOn(a, floor.offset, 500, select("z")))).toEqual(range(1, 200).map(String));
  // Slots and entries are one sequence, each of which knows the one before.
  for (const [index, { offset, previousWitness }] of rest.entries()) {
    const before = rest[index - 1];
    if (before !== undefined) expect([offset, previousWitness]).toEqual([before.offset + 1, before.witness]);
  }
  // The weight of the log is still the sum of its entries: retention by bytes depends on it.
  const weight = rest.reduce(
    (sum, { channel, type, data }) => sum + channel.length + type.length + data.length + 32,
    0,
  );
  expect((await redisCommand(redis, "HGET {events}:head weight")).trim()).toBe(`${weight}`);
});

test("the copy of a process that died in the middle is removed, and retention continues", async () => {
  const redis = track(await startRedis());
  const log = await openRedisLog(redis.port, { maxEvents: 5 });
  await log.append(range(1, 3).map((n) => entry("a", `${n}`)));
  const { send } = await connect(redis.port);
  const script = `redis.call('HSET', KEYS[1], 'clearing', cmsgpack.pack({'gone', 0, 1, 0, 0, 0}))
    redis.call('XADD', KEYS[2], '1-1', 'c', 'a')`;
  await send("EVAL", script, "2", "{events}:head", "{events}:copy");
  await log.append(range(4, 20).map((n) => entry("a", `${n}`)));
  await eventually(
    "it is trimmed",
    () => log.head(),
    ({ floor }) => floor.offset === 15,
  );
  expect(await redisCommand(redis, "EXISTS {events}:copy")).toBe(":0");
});

test("a user who may not replace the stream clears nothing", async () => {
  const redis = track(await startRedis());
  await redisCommand(redis, "ACL SETUSER writer on >secret ~* +@all -rename");
  const open = (port: number) => nodeRedisClient(port, { username: "writer", password: "secret" });
  const log = await openRedisLog(redis.port, {}, open);
  await log.append([entry("a", "1", { key: "k" })]);
  await expect(clear(log, "a")).rejects.toMatchObject({
    code: "ERR_SSE_LOG",
    stored: false,
    message: expect.stringMatching(/NOPERM|can't run this command/),
  });
  expect(dataOf(await readOn(log, 0, 10))).toEqual(["1"]);
});

test("a process that has no tail serves nothing of a channel that another one has cleared", async () => {
  const redis = track(await startRedis());
  const [a, b] = [await openRedisLog(redis.port), await openRedisLog(redis.port)];
  await a.append(range(1, 3).map((n) => entry("chat", `secret ${n}`)));
  // It keeps the page for other readers.
  expect(dataOf(await readOn(b, 0, 10))).toHaveLength(3);
  await clear(a, "chat");
  // A client comes back: the answer says that there is something to forget.
  await b.locate([{ cursor: null, selection: { channels: ["chat"], prefixes: [] } }]);
  expect(dataOf(await readOn(b, 0, 10, select("chat"))).filter((data) => data.startsWith("secret"))).toEqual([]);
});

test("clients of a hub are sent nothing of a channel that another hub has cleared, before its tail knows", async () => {
  const redis = track(await startRedis());
  await redisCommand(redis, "ACL SETUSER reader on >secret ~* +@all -xread");
  const open = (port: number) => nodeRedisClient(port, { username: "reader", password: "secret" });
  const { hub: a } = openHub({ log: await openRedisLog(redis.port) });
  // Its tail has to ask, once a second.
  const { hub: b, errors } = openHub({ log: await openRedisLog(redis.port, {}, open) });
  const before = (await a.channel("chat").dispatch("message", "first")) as string;
  for (const n of range(1, 3)) await a.channel("chat").dispatch("message", `secret ${n}`);
  const received = async (isComplete: (client: HubClient) => boolean): Promise<HubClient> => {
    const client = await follow(b, "chat", { lastEventId: before });
    await client.until(() => isComplete(client));
    await client.leave();
    return client;
  };
  expect((await received(({ data }) => data.length === 3)).data).toEqual(["secret 1", "secret 2", "secret 3"]);
  await a.channel("chat").clear();
  const client = await received((each) => each.control("gap").length > 0);
  expect([client.data, client.control("gap")]).toMatchObject([[], [{ reason: "cleared" }]]);
  expect(errors.splice(0).every(([, message]) => /XREAD|xread/.test(message))).toBe(true);
});
