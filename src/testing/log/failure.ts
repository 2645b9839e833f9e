// Appends that fail: the publisher learns whether its entries are stored, and the log recovers.
import assert from "node:assert/strict";
import { dataOf, entry, hasCode, offsetsOf, range, read } from "./ask.ts";
import { pause, type TestContext, type TestScenario } from "./scenario.ts";

/** How long a log that tries again finds a store that fails. */
const retryingMs = 500;

export function testFailure(scenario: TestScenario): void {
  // `append` MUST resolve only when the entries are as durable as the log promises. A log that answers before the store
  // does tells publishers of events that no client will receive.
  scenario("failure: entries that were not stored are not reported as stored", {}, async (context) => {
    const { log } = context;
    // The first append may prepare the store, which is not what fails here.
    await log.append([entry("a", "before")]);
    await fail(context, "refused");
    const appends = range(1, 3).map((i) => settle(log.append([entry("a", `${i}`)])));
    const outcomes = await healed(context, appends);
    await log.append([entry("a", "after")]);
    const data = dataOf((await read(log, 0, 100)).entries);
    for (const [index, outcome] of outcomes.entries()) assertTrue(outcome, data.includes(`${index + 1}`));
    assert.deepEqual([data[0], data.at(-1)], ["before", "after"]);
  });

  // An error MUST say `stored: false` only if nothing was stored. After a lost answer, a log that tries again without
  // an id of its own for the call stores the entries twice, and one that gives up with `false` invites the publisher to
  // do so.
  scenario(
    "failure: entries whose answer was lost are stored once, and not reported as not stored",
    {},
    async (context) => {
      const { log, follow, eventually } = context;
      const { epoch, witness } = await log.head();
      // The tail must not deliver an entry twice either, for the answer and for what the store reports.
      const tail = follow({ epoch, offset: 0, witness });
      await fail(context, "lost");
      const appends = range(1, 3).map((i) => settle(log.append([entry("a", `${i}`)])));
      const outcomes = await healed(context, appends);
      await log.append([entry("a", "after")]);
      const { entries } = await read(log, 0, 100);
      const data = dataOf(entries);
      // The queue gives each call an id. A log that does not store it cannot tell its own repetition from a new call.
      assert.equal(new Set(data).size, data.length, "an entry is stored twice");
      for (const [index, outcome] of outcomes.entries()) assertTrue(outcome, data.includes(`${index + 1}`));
      assert.deepEqual(offsetsOf(entries), range(1, entries.length));
      await eventually(async () => assert.deepEqual(dataOf(tail.entries), data));
      // A store that fails may be reported to its tails.
      tail.errors.length = 0;
    },
  );
}

/** The outcomes of appends that were called while the store failed, after logs that retry have had time to do so. */
async function healed(context: TestContext, appends: readonly Promise<boolean | "unknown">[]) {
  const outcomes = Promise.all(appends);
  await Promise.race([outcomes, pause(retryingMs)]);
  await fail(context, null);
  return outcomes;
}

/** `true` for an append that resolved, `false` or `"unknown"` as its error says. */
async function settle(append: Promise<unknown>): Promise<boolean | "unknown"> {
  try {
    await append;
    return true;
  } catch (error) {
    const { stored } = error as { stored?: unknown };
    assert.ok(hasCode("ERR_SSE_LOG")(error), String(error));
    assert.ok(stored === false || stored === "unknown", `stored is ${stored}`);
    return stored;
  }
}

/** "unknown" is honest in both cases. Only a definite answer can be wrong. */
function assertTrue(outcome: boolean | "unknown", isStored: boolean): void {
  if (outcome !== "unknown") assert.equal(outcome, isStored);
}

/** How the store fails from now on, `null` for not at all. */
async function fail({ storage }: TestContext, how: "refused" | "lost" | null): Promise<void> {
  if (storage.fail === undefined) throw new Error("The storage of a failing log has no fail(); add it");
  await storage.fail(how);
}
