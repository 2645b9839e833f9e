// Appends with conditions: positions that must hold, and keys that make a repetition harmless.
import assert from "node:assert/strict";
import { at, dataOf, entry, hasCode, offsetsOf, range, read, select, witnessAt } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

const isConflict = hasCode("ERR_SSE_CONFLICT");

export function testConditions(scenario: TestScenario): void {
  testAfter(scenario);
  testIdempotency(scenario);
}

function testAfter(scenario: TestScenario): void {
  // `append` MUST reject an `after` that does not hold with `ERR_SSE_CONFLICT`. The condition is about one channel: a
  // log that compares the position with its head refuses publishers of quiet channels.
  scenario("after: accepts when the channel has nothing after it, rejects otherwise", {}, async ({ log }) => {
    // The entry of channel b moves the head, which does not concern publishers of channel a.
    const [first] = await log.append([entry("a", "first", { after: await at(log, 0) }), entry("b")]);
    await log.append([entry("a", "second", { after: first })]);
    await assert.rejects(log.append([entry("a", "late", { after: await at(log, 2) })]), isConflict);
    const [placed] = await log.append([entry("a", "third", { after: await at(log, 3) })]);
    assert.equal(placed?.offset, 4);
    assert.deepEqual(dataOf((await read(log, 0, 10, select("a"))).entries), ["first", "second", "third"]);
  });

  // A position is epoch, offset and witness together. A log that compares offsets alone accepts a publisher whose
  // knowledge is of another incarnation of the log, and overwrites what it has not seen.
  scenario("after: a position that is not one of this log is a conflict", {}, async ({ log }) => {
    await log.append([entry("a"), entry("b")]);
    const [origin, first, head] = [await at(log, 0), await at(log, 1), await at(log, 2)];
    // Each differs from a position of this log in one part: the epoch, the witness, or the offset.
    const others = [
      { ...head, epoch: "another" },
      { ...origin, epoch: "another" },
      { ...head, witness: (head.witness % 0xffff_ffff) + 1 },
      { ...first, witness: head.witness },
      { ...origin, witness: (origin.witness % 0xffff_ffff) + 1 },
      { ...head, offset: 3 },
      { ...head, offset: 1_000_000 },
    ];
    for (const after of others) await assert.rejects(log.append([entry("quiet", "", { after })]), isConflict);
    assert.equal((await log.head()).top, 2);
    for (const after of [origin, first, head]) await log.append([entry(`quiet ${after.offset}`, "", { after })]);
  });

  // Where the witness is gone with its entry, the position can be neither confirmed nor refuted: `append` MUST then
  // reject. A log that takes "not found" for "nothing newer" accepts publishers that were away for long.
  scenario(
    "after: a position whose entry is gone holds only where its witness is known",
    { maxEvents: 2 },
    async (context) => {
      const { log, eventually } = context;
      // Kept as a value past its retention, and yet no position to publish after: the channel has an entry after it.
      const keyed = entry("a", "", { key: "k" });
      const placed = await log.append([keyed, entry("a"), ...range(1, 8).map(() => entry("noise"))]);
      await eventually(async () => assert.equal((await log.head()).floor.offset, 8));
      await assert.rejects(log.append([entry("a", "", { after: placed[0] })]), isConflict);
      const [, second] = placed;
      assert.ok(second !== undefined);
      await assert.rejects(
        log.append([entry("quiet", "", { after: { ...second, witness: second.witness ^ 1 } })]),
        isConflict,
      );
      const append = log.append([entry("a", "", { after: second })]);
      // A log may keep the witness longer than the entry. Both are correct, but only as the log itself says.
      if ((await witnessAt(log, 2)) === undefined) await assert.rejects(append, isConflict);
      else await append;
      // The floor: the oldest retained entry has its witness, so this position holds in every log.
      await log.append([entry("quiet", "", { after: await at(log, 8) })]);
    },
  );

  // `append` MUST store nothing of a call that it rejects, and MUST NOT let one call's failure affect another. A log
  // that stores several calls in one transaction has to check all conditions of a call before its first insert.
  scenario("after: nothing of a call is stored, and its failure is its own", {}, async ({ log }) => {
    const origin = await at(log, 0);
    await log.append([entry("taken")]);
    const results = await Promise.allSettled([
      log.append([entry("a", "1")]),
      log.append([entry("a", "rejected"), entry("taken", "rejected", { after: origin }), entry("a", "rejected")]),
      log.append([entry("a", "2")]),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    // The rejected call leaves neither an entry nor a hole between the two others.
    const { entries } = await read(log, 1, 10);
    assert.deepEqual(
      [dataOf(entries).sort(), offsetsOf(entries)],
      [
        ["1", "2"],
        [2, 3],
      ],
    );
  });

  // Check and insert MUST be one step. A log that reads the channel's last entry first, and inserts then, lets all of
  // them in.
  scenario("after: of several publishers that expect the same position, one succeeds", {}, async ({ log }) => {
    const after = await at(log, 0);
    const results = await Promise.allSettled(range(1, 8).map(() => log.append([entry("a", "", { after })])));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal((await log.head()).top, 1);
  });

  // `after` is compared with the channel before the call. A log that checks entry by entry finds the first one of the
  // same call, and rejects the second.
  scenario("after: the entries of one call are not in each other's way", {}, async ({ log, declares }) => {
    if (!declares("atomicBatch")) return;
    const after = await at(log, 0);
    const placed = await log.append([entry("a", "1", { after }), entry("a", "2", { after })]);
    assert.deepEqual(offsetsOf(placed), [1, 2]);
  });
}

function testIdempotency(scenario: TestScenario): void {
  // A repeated key MUST return the position of the first entry, with `duplicate`. A log that keeps keys apart from
  // entries can lose one without the other; one that keeps them for the whole log mixes up the channels.
  scenario("idempotencyKey: a repeated entry is returned and not stored again", {}, async ({ log }) => {
    const once = entry("a", "once", { idempotencyKey: "k" });
    const [first] = await log.append([once]);
    // A repeated entry among new ones takes no offset, and the key of one channel means nothing in another.
    const again = await log.append([entry("a", "new"), once, entry("b", "other channel", { idempotencyKey: "k" })]);
    assert.deepEqual(offsetsOf(again), [2, 1, 3]);
    assert.deepEqual(
      again.map(({ duplicate }) => duplicate ?? false),
      [false, true, false],
    );
    assert.deepEqual([again[1]?.epoch, again[1]?.witness], [first?.epoch, first?.witness]);
    assert.deepEqual(dataOf((await read(log, 0, 10)).entries), ["once", "new", "other channel"]);
    // Calls of one tick may be stored in one transaction, in which the first entry is not committed yet.
    const both = await Promise.all(range(1, 4).map(() => log.append([entry("a", "", { idempotencyKey: "same" })])));
    assert.equal(new Set(offsetsOf(both.flat())).size, 1);
  });

  // A log that looks all keys of a call up before it stores the first entry does not find the key of the same call.
  scenario("idempotencyKey: twice in one call is stored once", {}, async ({ log }) => {
    const once = entry("a", "once", { idempotencyKey: "k" });
    assert.deepEqual(offsetsOf(await log.append([once, once, entry("a")])), [1, 1, 2]);
  });

  // The key is asked before the condition: the entry that makes `after` fail is the publisher's own. A log that asks in
  // the other order turns every retry into a conflict.
  scenario("idempotencyKey: a publisher that tries again is not rejected for its own entry", {}, async ({ log }) => {
    const once = entry("a", "once", { idempotencyKey: "k", after: await at(log, 0) });
    await log.append([once]);
    const [again] = await log.append([once]);
    assert.deepEqual([again?.offset, again?.duplicate], [1, true]);
  });

  // Keys that are kept forever fill the store. A log whose sweep runs only on restart, or that measures the window by a
  // clock that jumps, never gets here.
  scenario("idempotencyKey: is forgotten after its window", { idempotencyWindow: 30 }, async ({ log, eventually }) => {
    const once = entry("a", "once", { idempotencyKey: "k" });
    await log.append([once]);
    // A repetition must not extend the window, or this would never end.
    await eventually(async () => assert.equal((await log.append([once]))[0]?.duplicate ?? false, false));
    assert.equal((await log.head()).top, 2);
  });
}
