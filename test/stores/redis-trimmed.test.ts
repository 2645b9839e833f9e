/** The losses that Redis reports of a channel, to readers with and without conflation: its own, and none of other channels. */
import { expect, test } from "vitest";
import { entry, range, select, trimmed } from "../../src/testing/log/ask.ts";
import { eventually } from "../support/deadline.ts";
import { openRedisLog, track } from "../support/stores/redis-log.ts";
import { startRedis } from "../support/stores/redis-server.ts";

test("superseded entries count for readers that do not conflate, from the moment at which they are gone", async () => {
  const redis = track(await startRedis());
  const log = await openRedisLog(redis.port, { maxEvents: 4 });
  const lost = async (...names: string[]) => [
    await trimmed(log, select(...names), { conflate: true }),
    await trimmed(log, select(...names), { conflate: false }),
  ];
  const publish = async (data: string): Promise<void> => {
    await log.append([entry("a/1", data, { key: "k" })]);
  };
  const trim = async (): Promise<void> => {
    await log.append(range(1, 10).map((n) => entry("b", `${n}`)));
    const { top } = await log.head();
    await eventually(
      "it is trimmed",
      () => log.head(),
      ({ floor }) => floor.offset === top - 4,
    );
  };
  await publish("1");
  await trim();
  // The entry is kept as the value of its key.
  expect([await lost("a/1"), await lost("a/*"), await lost("b")]).toEqual([
    [0, 0],
    [0, 0],
    [7, 7],
  ]);
  await publish("2");
  expect([await lost("a/1"), await lost("a/*")]).toEqual([
    [0, 1],
    [0, 1],
  ]);
  await publish("3");
  await trim();
  expect([await lost("a/1"), await lost("a/*")]).toEqual([
    [0, 12],
    [0, 12],
  ]);
  // Of everything, whatever was removed is lost.
  expect(await lost("*")).toEqual([19, 19]);
});

test("a reader of all channels that conflates has lost nothing of superseded entries", async () => {
  const redis = track(await startRedis());
  const log = await openRedisLog(redis.port, { maxEvents: 2 });
  for (const n of range(1, 6)) await log.append([entry("a", `${n}`, { key: "k" })]);
  await eventually(
    "it is trimmed",
    () => log.head(),
    ({ floor }) => floor.offset === 4,
  );
  const lost = async (conflate: boolean) => [
    await trimmed(log, select("*"), { conflate }),
    (await log.read(0, { limit: 10, maxBytes: 1_000, conflate })).trimmed,
  ];
  expect([await lost(true), await lost(false)]).toEqual([
    [0, 0],
    [4, 4],
  ]);
});
