// Clearing a channel: its entries are gone for good, and their places in the sequence stay.
import assert from "node:assert/strict";
import { at, dataOf, entry, hasCode, offsetsOf, range, read, select, values } from "./ask.ts";
import type { TestContext, TestScenario } from "./scenario.ts";

export function testClear(scenario: TestScenario): void {
  const clearing = (name: string, body: (context: Clearing) => Promise<void>): void =>
    scenario(`clear: ${name}`, { maxEvents: 1_000 }, async (context) => {
      const { clear } = context.log;
      if (context.declares("clear") && clear !== undefined) await body({ ...context, clear: clear.bind(context.log) });
    });

  // `clear` MUST leave an empty slot for each entry: the offset, both witnesses, and nothing else. Clients stand at these
  // offsets, and a log that closes the holes moves all later positions. `clear` MUST append the entry that records it in
  // the same step, or a reader that comes in between finds the slots empty and declares no loss.
  clearing("leaves empty slots with their witnesses, and an entry that records it", async ({ log, clear }) => {
    await log.append(range(1, 6).map((i) => entry(i % 2 === 0 ? "kept" : "cleared", `secret ${i}`)));
    // Clients hold these witnesses, and their positions have to stay valid.
    const before = await read(log, 0, 10);
    const appended = await clear("cleared");
    const { entries } = await read(log, 0, 10);
    assert.deepEqual(offsetsOf(entries), range(1, 7));
    assert.deepEqual(
      entries.slice(0, 6).map(({ witness, previousWitness }) => [witness, previousWitness]),
      before.entries.map(({ witness, previousWitness }) => [witness, previousWitness]),
    );
    assert.deepEqual(dataOf(entries), ["", "secret 2", "", "secret 4", "", "secret 6", '{"from":1,"to":5}']);
    assert.deepEqual([entries[6]?.channel, entries[6]?.type], ["cleared", "sse:clear"]);
    assert.deepEqual(appended, { epoch: before.epoch, offset: 7, witness: entries[6]?.witness });
    assert.deepEqual(offsetsOf((await read(log, 0, 10, select("cleared"))).entries), [7]);
    assert.deepEqual(dataOf((await read(log, 0, 10, select("kept"))).entries), ["secret 2", "secret 4", "secret 6"]);
  });

  // `clear` MUST erase what is kept apart from the sequence: values, ends, and the positions by idempotency key. A log that
  // forgets the last of these answers a publisher with the position of an erased entry, and its event is never stored.
  clearing("erases values, ends, and what was published with a key", async ({ log, clear }) => {
    const once = entry("a", "once", { idempotencyKey: "once", key: "k" });
    const [first] = await log.append([once, entry("a", "end", { type: "sse:end" })]);
    await clear("a");
    assert.deepEqual(await values(log, select("a")), []);
    assert.deepEqual(offsetsOf(await log.last(5, select("a"))), [3]);
    const { answers } = await log.locate([{ cursor: first ?? null, selection: select("a") }]);
    assert.deepEqual([answers[0]?.verification, answers[0]?.ends, answers[0]?.hasValues], ["same", [], false]);
    const [again] = await log.append([once]);
    assert.deepEqual([again?.offset, again?.duplicate ?? false], [4, false]);
    assert.deepEqual(dataOf(await values(log, select("a"))), ["once"]);
  });

  // Clearing is repeated after a crash, and by several processes. A log that appends an entry each time fills itself with
  // declarations of losses that no client has had.
  clearing("does nothing for a channel without entries", async ({ log, clear }) => {
    await log.append([entry("a")]);
    assert.deepEqual([await clear("b"), (await log.head()).top], [null, 1]);
  });

  // The hubs of other processes learn of it from their tails alone, and empty their rings. A publisher whose `after` is an
  // erased entry MUST get a conflict: what it builds on is gone.
  clearing("reaches tails as an entry, and a publisher in the middle as a conflict", async (context) => {
    const { log, clear, follow } = context;
    const tail = follow(await at(log, 0));
    const [, second] = await log.append([entry("a", "1"), entry("a", "2")]);
    await clear("a");
    await tail.count(3);
    assert.deepEqual([tail.entries[2]?.channel, tail.entries[2]?.type], ["a", "sse:clear"]);
    await assert.rejects(log.append([entry("a", "3", { after: second })]), hasCode("ERR_SSE_CONFLICT"));
    await log.append([entry("a", "4")]);
    await tail.count(4);
    // The sequence continues after a clearing as after any other entry.
    assert.equal(tail.entries[3]?.previousWitness, tail.entries[2]?.witness);
  });

  // The second time, the first entry that records a clearing is an entry of the channel, too, and becomes a slot. A log that
  // spares it declares the first loss again to each client that replays.
  clearing("may be repeated, and erases what came after the first time", async ({ log, clear }) => {
    await log.append([entry("a", "1")]);
    await clear("a");
    await log.append([entry("a", "2")]);
    await clear("a");
    assert.deepEqual(dataOf((await read(log, 0, 10)).entries), ["", "", "", '{"from":2,"to":3}']);
  });

  // Slots count for `maxEvents` as entries do. A log that skips them keeps more than it should, and one that trims by channel
  // never gets past them.
  scenario("clear: retention goes on over the empty slots", { maxEvents: 4 }, async (context) => {
    const { log, declares, eventually } = context;
    if (!declares("clear")) return;
    // With a key, whose newest entry would outlive retention if it were not erased.
    await log.append(range(1, 4).map((i) => entry("a", `${i}`, { key: "k" })));
    await log.clear?.("a");
    await log.append(range(1, 6).map((i) => entry("b", `${i}`)));
    await eventually(async () => assert.equal((await log.head()).floor.offset, 7));
    assert.deepEqual(dataOf((await read(log, 7, 10)).entries), ["3", "4", "5", "6"]);
    assert.deepEqual(await values(log, select("a")), []);
  });
}

/** A test of a log that can clear. */
interface Clearing extends TestContext {
  clear(channel: string): ReturnType<NonNullable<TestContext["log"]["clear"]>>;
}
