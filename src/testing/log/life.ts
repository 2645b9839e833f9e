// Closing, opening again, and the capabilities that a log declares.
import assert from "node:assert/strict";
import type { CompleteLog } from "../../log/complete.ts";
import { at, entry, hasCode, range, read, select, trimmed, values } from "./ask.ts";
import { pause, type TestScenario } from "./scenario.ts";

export function testLife(
  scenario: TestScenario,
  { persistent, shared }: { persistent: boolean; shared: boolean },
): void {
  // `capabilities` MUST NOT change, and MUST say what the log has: the kit composes a method that is not declared. A
  // log that inherits a method which it cannot carry out gets called.
  scenario("capabilities: a log has the methods that it declares, and no others", {}, async ({ storage }) => {
    const log = await storage.open();
    const before = [...log.capabilities].sort();
    // `appendIn` is not among them: it needs a transaction of the store, which the suite cannot begin.
    for (const name of ["witnesses", "last", "latestByKey", "locate", "clear"] as const) {
      assert.equal(typeof log[name] === "function", log.capabilities.has(name), name);
    }
    await log.close();
    assert.deepEqual([...log.capabilities].sort(), before);
  });

  // `close` MUST settle the appends that were called before, and every later call MUST reject. A log that closes its
  // connection first leaves promises that never settle, and a hub that never closes.
  scenario("close: ends tails, settles appends, and rejects every later call", {}, async ({ log, follow }) => {
    const origin = await at(log, 0);
    const tail = follow(origin);
    await log.append([entry("a")]);
    await tail.count(1);
    const appending = Promise.allSettled([log.append([entry("a")]), log.append([entry("a")])]);
    await log.close();
    for (const result of await appending) {
      // Appends called before may be stored or rejected as closed, but they must not stay unsettled.
      if (result.status === "rejected") assert.ok(hasCode("ERR_SSE_CLOSED")(result.reason), String(result.reason));
    }
    // Counted before the second `close()`, which MUST have no effect.
    const { length } = tail.entries;
    await log.close();
    const closed = hasCode("ERR_SSE_CLOSED");
    await assert.rejects(log.append([entry("a")]), closed);
    await assert.rejects(log.head(), closed);
    await assert.rejects(read(log, 0, 1), closed);
    await assert.rejects(log.witnesses([1]), closed);
    await assert.rejects(log.last(1, select("a")), closed);
    await assert.rejects(log.latestByKey(select("a"), { after: 0, upTo: 1, maxBytes: 1 }), closed);
    await assert.rejects(log.locate([{ cursor: null, selection: select("a") }]), closed);
    assert.throws(() => follow(origin), closed);
    // A batch that was on its way arrives within a few turns, if the log does not drop it.
    await pause(20);
    assert.equal(tail.entries.length, length);
  });

  if (!persistent && !shared) {
    // An epoch MUST be an identifier that was never used before. A constant, or the time in seconds, makes the cursors
    // of a log that was lost valid in the next one.
    scenario("epoch: is another one for another log", {}, async ({ log, open }) => {
      assert.notEqual((await log.head()).epoch, (await (await open()).head()).epoch);
    });
  }

  if (persistent) {
    // Opened again, a persistent log MUST continue everything: offsets, witnesses, keys, what it has trimmed. A log
    // that keeps one of these in memory passes every test until its first restart.
    scenario("opened again: continues where it was", { maxEvents: 8 }, async ({ log, open, eventually }) => {
      const once = entry("a", "once", { idempotencyKey: "k" });
      // Alone on its channel: retention takes it from the sequence, and it must be kept as a value through the restart.
      const keyed = entry("state", "kept", { key: "k" });
      await log.append([keyed, ...range(2, 11).map((i) => entry(i % 2 === 0 ? "a" : "b", `${i}`)), once]);
      await eventually(async () => assert.equal((await log.head()).floor.offset, 4));
      const before = await stateOf(log);
      await log.close();
      const again = await open();
      // Compared as a whole: a part that a log derives again at each start, such as the floor, differs only here.
      assert.deepEqual(await stateOf(again), before);
      const [repeated] = await again.append([once]);
      assert.deepEqual([repeated?.offset, repeated?.duplicate], [12, true]);
      // A log that counts its retained entries would give an offset for the second time.
      const [next] = await again.append([entry("a")]);
      assert.equal(next?.offset, 13);
      assert.equal((await read(again, 12, 1)).entries[0]?.previousWitness, before.head.witness);
      // Channel b has entry 11 after it: the newest offset of each channel has to survive, too.
      const after = await at(again, 10);
      await assert.rejects(again.append([entry("b", "", { after })]), hasCode("ERR_SSE_CONFLICT"));
    });
  }
}

/** Everything that a client can learn from a log: a restart must change none of it. */
async function stateOf(log: CompleteLog) {
  return {
    head: await log.head(),
    quiet: await trimmed(log, select("b")),
    read: await read(log, 0, 100),
    values: await values(log, select("state")),
    witnesses: await log.witnesses(range(4, 12)),
  };
}
