// Several logs on one storage, as in several processes: one sequence for all.
import assert from "node:assert/strict";
import type { CompleteLog } from "../../log/complete.ts";
import { at, dataOf, entry, hasCode, offsetsOf, range, read, select } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

export function testSharing(scenario: TestScenario): void {
  // `head` and `read` MUST be answered by the primary. A log that counts offsets, or remembers its head, in its own
  // process works until there are two.
  scenario("several: append to one sequence, and each reads at once what another has stored", {}, async (context) => {
    const logs = [context.log, await context.open(), await context.open()];
    for (const round of range(1, 30)) {
      const placed = await pick(logs, round).append([entry("a", `${round}`)]);
      // Another log reads than the one that appended: a log that answers from its own memory fails here.
      const { entries } = await read(pick(logs, round + 1), round - 1, 10, select("a"));
      assert.deepEqual([offsetsOf(placed), dataOf(entries)], [[round], [`${round}`]]);
    }
    const heads = await Promise.all(logs.map((log) => log.head()));
    assert.deepEqual(heads[1], heads[0]);
    assert.deepEqual(heads[2], heads[0]);
    // Offset 30 is on the same channel, but another log has stored it: the condition has to see that.
    const after = await at(pick(logs, 2), 29);
    await assert.rejects(pick(logs, 1).append([entry("a", "", { after })]), hasCode("ERR_SSE_CONFLICT"));
  });

  // The order of the offsets MUST be the order in which entries become visible. With a sequence and transactions it is
  // not: the tail of another process passes a number whose transaction commits later.
  scenario("several: appends at the same time leave no hole, and all tails agree", {}, async (context) => {
    const logs = [context.log, await context.open(), await context.open()];
    const origin = await at(context.log, 0);
    const tails = logs.map((log) => context.follow(origin, log));
    // Calls of one to four entries: logs that reserve offsets ahead leave holes between them.
    const calls = range(1, 90).map((i) => pick(logs, i).append(range(1, (i % 4) + 1).map(() => entry(`c${i % 7}`))));
    const offsets = offsetsOf((await Promise.all(calls)).flat()).sort((a, b) => a - b);
    assert.deepEqual(offsets, range(1, offsets.length));
    for (const tail of tails) {
      await tail.count(offsets.length);
      assert.deepEqual(tail.offsets, offsets);
    }
    // All fields, not only the offsets: a notification may carry fewer of them than the store.
    assert.deepEqual(tails[1]?.entries, tails[0]?.entries);
    assert.deepEqual(tails[2]?.entries, tails[0]?.entries);
  });

  // `tail` MUST deliver the entries of other processes within a second, while its own process appends nothing.
  scenario("several: the tail of one delivers the entries of another", {}, async ({ log, open, follow }) => {
    const other = await open();
    const tail = follow(await at(log, 0), other);
    for (const i of range(1, 5)) {
      await log.append([entry("a", `${i}`)]);
      // Waits for each one, so that every append finds the tail idle.
      await tail.count(i);
    }
    assert.deepEqual(dataOf(tail.entries), ["1", "2", "3", "4", "5"]);
  });

  // A publisher may repeat itself at another process, after a failover of a load balancer. Keys in the memory of one
  // process do not help there.
  scenario("several: a repeated key is recognized by the others", {}, async ({ log, open }) => {
    const once = entry("a", "once", { idempotencyKey: "k" });
    const placed = [...(await log.append([once])), ...(await (await open()).append([once]))];
    assert.deepEqual(offsetsOf(placed), [1, 1]);
  });
}

/** Another log in each round, so that no log answers for its own entries only. */
function pick(logs: CompleteLog[], round: number): CompleteLog {
  return logs[round % logs.length] as CompleteLog;
}
