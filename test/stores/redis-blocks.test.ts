/** Entries in blocks: several in one entry of the stream, each of which is read, verified and removed on its own. */
import { expect, test } from "vitest";
import { weightOf } from "../../src/log/retention.ts";
import { dataOf, entry, range, readOn } from "../../src/testing/log/ask.ts";
import { eventually } from "../support/deadline.ts";
import { openRedisLog, track } from "../support/stores/redis-log.ts";
import { redisCommand, startRedis } from "../support/stores/redis-server.ts";

test("the events of a tick share blocks, whatever options they have, and a large one has its own", async () => {
  const redis = track(await startRedis());
  const log = await openRedisLog(redis.port);
  const blocks = () => redisCommand(redis, "XLEN {events}:entries");
  await log.append([entry("a", "0", { key: "k" })]);
  const plain = await Promise.all(range(1, 200).map((n) => log.append([entry(`a/${n % 7}`, `${n}`)])));
  expect(await blocks()).toBe(`:${1 + Math.ceil(200 / 64)}`);
  const keyed = await log.append(range(201, 300).map((n) => entry("a/8", `${n}`, { key: `${n % 50}`, sender: "s" })));
  expect(await blocks()).toBe(`:${1 + 4 + 2}`);
  await Promise.all(range(1, 3).map(() => log.append([entry("b", "x".repeat(40_000))])));
  expect(await blocks()).toBe(`:${1 + 4 + 2 + 3}`);

  const placed = [...plain.flat(), ...keyed];
  expect(await log.witnesses(placed.map(({ offset }) => offset))).toEqual(placed.map(({ witness }) => witness));
  const entries = await readOn(log, 1, 7, undefined, { conflate: false });
  expect(dataOf(entries).slice(0, 300)).toEqual(range(1, 300).map(String));
  for (const [index, { previousWitness }] of entries.slice(1).entries()) {
    expect(previousWitness).toBe(entries[index]?.witness);
  }
  expect(dataOf(await log.last(3, { channels: ["a/1"], prefixes: [] }))).toEqual(["183", "190", "197"]);
  expect(dataOf(await log.last(2, { channels: [], prefixes: ["a/"] }))).toEqual(["299", "300"]);
});

test("retention removes a part of a block, and counts what is left as the contract does", async () => {
  const redis = track(await startRedis());
  const log = await openRedisLog(redis.port, { maxEvents: 10 });
  const added = range(1, 40).map((n) => entry("ü", `é 🎉 ${n}`, n % 2 === 0 ? { key: `ключ ${n}` } : {}));
  await Promise.all(added.map((each) => log.append([each])));
  await eventually(
    "it is trimmed",
    () => log.head(),
    ({ floor }) => floor.offset === 30,
  );
  expect(await redisCommand(redis, "XLEN {events}:entries")).toBe(":1");
  const weight = added.slice(30).reduce((sum, each) => sum + weightOf(each), 0);
  expect(Number(await redisCommand(redis, "HGET {events}:head weight"))).toBe(weight);
  expect(dataOf(await readOn(log, 30, 3))).toEqual(range(31, 40).map((n) => `é 🎉 ${n}`));
});

test("half of a surrogate pair is replaced, and what follows it is read", async () => {
  const redis = track(await startRedis());
  const log = await openRedisLog(redis.port);
  await log.append([entry("a", "half \ud83c")]);
  await log.append([entry("a", "whole", { key: "\udf89", sender: "\ud83c" })]);
  const entries = await readOn(log, 0, 10);
  expect(entries.map(({ data, key, sender }) => [data, key, sender])).toEqual([
    ["half \ufffd", undefined, undefined],
    ["whole", "\ufffd", "\ufffd"],
  ]);
});

test("a channel may have any name, alone or in a burst, and is found by it", async () => {
  const redis = track(await startRedis());
  const log = await openRedisLog(redis.port);
  const names = ["a b", " ", "a\nb", "\0", "%d q:x", "é 🎉"];
  for (const name of names) await log.append([entry(name, "first")]);
  for (const name of names) await log.append([entry(name, "alone")]);
  await Promise.all(names.map((name) => log.append([entry(name, "in a burst")])));
  for (const name of names) {
    expect(dataOf(await log.last(9, { channels: [name], prefixes: [] }))).toEqual(["first", "alone", "in a burst"]);
  }
  expect((await readOn(log, 0, 100)).map(({ channel }) => channel)).toEqual([...names, ...names, ...names]);
});

test("an append takes no longer for each channel that the log has", async () => {
  const redis = track(await startRedis());
  const log = await openRedisLog(redis.port);
  await log.append([entry("a")]);
  // In the compact encoding, each update would go through all members.
  expect(await redisCommand(redis, "OBJECT ENCODING {events}:last")).toContain("skiplist");
});
