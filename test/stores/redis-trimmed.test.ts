/** The losses that Redis reports of a channel, to readers with and without conflation: its own, and none of other channels. */
import { expect, test } from "vitest";
import { entry, range, select, trimmed } from "../../src/testing/log/ask.ts";
import { eventually } from "../support/deadline.ts";
import { exactLosses } from "../support/exact-losses.ts";
import { openRedisLog, track } from "../support/stores/redis-log.ts";
import { startRedis } from "../support/stores/redis-server.ts";

for (const [name, run] of Object.entries(exactLosses)) {
  test(name, async () => {
    const redis = track(await startRedis());
    await run((maxEvents) => openRedisLog(redis.port, { maxEvents }));
  });
}

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
