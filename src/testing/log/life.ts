import assert from "node:assert/strict";
import type { CompleteLog } from "../../log/complete.ts";
import { at, dataOf, entry, hasCode, offsetsOf, range, read, select, trimmed, values, witnessAt } from "./ask.ts";
import { pause, type TestScenario } from "./scenario.ts";

/** Closing, opening again, several at a time. */
export function testLife(
  scenario: TestScenario,
  { persistent, shared }: { persistent: boolean; shared: boolean },
): void {
  scenario("close: ends tails, settles appends, and refuses what comes after", {}, async ({ log, follow }) => {
    const origin = await at(log, 0);
    const follower = follow(origin);
    await log.append([entry("a")]);
    await follower.count(1);
    const appending = Promise.allSettled([log.append([entry("a")]), log.append([entry("a")])]);
    await log.close();
    for (const result of await appending) {
      if (result.status === "rejected") assert.ok(hasCode("ERR_SSE_CLOSED")(result.reason), String(result.reason));
    }
    const { length } = follower.entries;
    await log.close();
    const closed = hasCode("ERR_SSE_CLOSED");
    await assert.rejects(log.append([entry("a")]), closed);
    await assert.rejects(log.head(), closed);
    await assert.rejects(read(log, 0, 1), closed);
    await assert.rejects(witnessAt(log, 1), closed);
    await assert.rejects(log.last(1, select("a")), closed);
    await assert.rejects(values(log, select("a")), closed);
    assert.throws(() => follow(origin), closed);
    await pause(20);
    assert.equal(follower.entries.length, length);
  });

  scenario("epoch: is another one for another log", {}, async ({ log, open }) => {
    if (persistent || shared) return;
    assert.notEqual((await log.head()).epoch, (await (await open()).head()).epoch);
  });

  if (persistent) {
    scenario("opened again: goes on where it was", { maxEvents: 8 }, async ({ log, open, eventually }) => {
      const once = entry("a", "once", { idempotencyKey: "k" });
      const keyed = entry("state", "kept", { key: "k" });
      await log.append([keyed, ...range(2, 11).map((i) => entry(i % 2 === 0 ? "a" : "b", `${i}`)), once]);
      await eventually(async () => assert.equal((await log.head()).floor.offset, 4));
      const before = await stateOf(log);
      await log.close();
      const again = await open();
      assert.deepEqual(await stateOf(again), before);
      const [repeated] = await again.append([once]);
      assert.deepEqual([repeated?.offset, repeated?.duplicate], [12, true]);
      assert.equal((await again.append([entry("a")]))[0]?.offset, 13);
      await assert.rejects(again.append([entry("b", "", { after: await at(again, 10) })]), hasCode("ERR_SSE_CONFLICT"));
    });
  }

  if (shared) {
    scenario("several: append to one sequence, and each sees what another was told is stored", {}, async (context) => {
      const logs = [context.log, await context.open(), await context.open()];
      for (const round of range(1, 30)) {
        const placed = await pick(logs, round).append([entry("a", `${round}`)]);
        const { entries } = await read(pick(logs, round + 1), round - 1, 10, select("a"));
        assert.deepEqual([offsetsOf(placed), dataOf(entries)], [[round], [`${round}`]]);
      }
      const heads = await Promise.all(logs.map((log) => log.head()));
      assert.deepEqual(heads[1], heads[0]);
      assert.deepEqual(heads[2], heads[0]);
      const after = await at(pick(logs, 2), 29);
      await assert.rejects(pick(logs, 1).append([entry("a", "", { after })]), hasCode("ERR_SSE_CONFLICT"));
    });

    scenario("several: appends at the same time leave no hole, and all tails agree", {}, async (context) => {
      const logs = [context.log, await context.open(), await context.open()];
      const origin = await at(context.log, 0);
      const followers = logs.map((log) => context.follow(origin, log));
      const calls = range(1, 90).map((i) => pick(logs, i).append(range(1, (i % 4) + 1).map(() => entry(`c${i % 7}`))));
      const offsets = offsetsOf((await Promise.all(calls)).flat()).sort((a, b) => a - b);
      assert.deepEqual(offsets, range(1, offsets.length));
      for (const follower of followers) {
        await follower.count(offsets.length);
        assert.deepEqual(follower.offsets, offsets);
      }
      assert.deepEqual(followers[1]?.entries, followers[0]?.entries);
      assert.deepEqual(followers[2]?.entries, followers[0]?.entries);
    });

    scenario("several: the tail of one hears the other", {}, async ({ log, open, follow }) => {
      const other = await open();
      const follower = follow(await at(log, 0), other);
      for (const i of range(1, 5)) {
        await log.append([entry("a", `${i}`)]);
        await follower.count(i);
      }
      assert.deepEqual(dataOf(follower.entries), ["1", "2", "3", "4", "5"]);
    });

    scenario("several: a repeated key is recognised by the others", {}, async ({ log, open }) => {
      const once = entry("a", "once", { idempotencyKey: "k" });
      const placed = [...(await log.append([once])), ...(await (await open()).append([once]))];
      assert.deepEqual(offsetsOf(placed), [1, 1]);
    });
  }
}

async function stateOf(log: CompleteLog) {
  return {
    head: await log.head(),
    quiet: await trimmed(log, select("b")),
    read: await read(log, 0, 100),
    latest: await values(log, select("state")),
  };
}

function pick(logs: CompleteLog[], round: number): CompleteLog {
  return logs[round % logs.length] as CompleteLog;
}
