// Losing the newest entries while logs are open, as in a failover to a copy that lagged.
import assert from "node:assert/strict";
import { at, dataOf, entry, hasCode, offsetsOf, range, read, select, values, witnessAt } from "./ask.ts";
import { verification } from "./locate.ts";
import type { TailRecorder, TestContext, TestScenario } from "./scenario.ts";

export function testLoss(scenario: TestScenario): void {
  // After the loss of its newest entries the log MUST continue with the rest: the offsets are given again, with other
  // witnesses. A log that keeps its head in memory continues after entries which no longer exist.
  scenario("loss: the rest is the log", {}, async ({ log, storage, eventually }) => {
    const { epoch } = await log.head();
    // The newest entry of the key is among the lost ones, so the superseded one is the newest again.
    const [first, , third] = await log.append([
      entry("a", "1", { key: "k" }),
      entry("a", "2", { key: "k" }),
      entry("b", "3"),
    ]);
    assert.equal((await log.head()).top, 3);
    await lose(storage, 2);
    await eventually(async () => assert.equal((await log.head()).top, 1));
    assert.equal((await log.head()).epoch, epoch);
    assert.equal(await witnessAt(log, 2), undefined);
    assert.deepEqual(dataOf((await read(log, 0, 10)).entries), ["1"]);
    assert.deepEqual(dataOf([...(await values(log, select("a")))]), ["1"]);
    assert.deepEqual(offsetsOf(await log.append([entry("b"), entry("b")])), [2, 3]);
    // The offset 3 exists again, with another entry: only the witness tells its client that it has something else.
    const cursors = [first ?? null, third ?? null];
    assert.deepEqual(await Promise.all(cursors.map((cursor) => verification(log, cursor))), ["same", "other"]);
  });

  // Keys and positions of lost entries MUST be lost with them. A log that caches idempotency keys returns the position
  // of an entry that no reader will find.
  scenario("loss: promises about lost entries do not hold any longer", {}, async ({ log, storage, eventually }) => {
    const once = entry("a", "once", { idempotencyKey: "k" });
    await log.append([entry("a"), once]);
    const lost = await at(log, 2);
    await lose(storage, 1);
    await eventually(async () => assert.equal((await log.head()).top, 1));
    // The entry of the key is lost, so the repetition is a new entry at the same offset.
    const [again] = await log.append([once]);
    assert.deepEqual([again?.offset, again?.duplicate === true], [2, false]);
    const isConflict = hasCode("ERR_SSE_CONFLICT");
    await assert.rejects(log.append([entry("a", "", { after: await at(log, 1) })]), isConflict);
    await assert.rejects(log.append([entry("quiet", "", { after: lost })]), isConflict);
    // The entry in place of the lost one is a position like any other.
    await log.append([entry("a", "", { after: await at(log, 2) })]);
  });

  // `tail` MUST notice a change within a second, even while nothing is appended. A tail that waits to be woken serves
  // its clients from a history that is gone, for as long as the log is quiet.
  scenario("loss: a tail notices it, though nothing is appended", {}, async ({ log, storage, follow, eventually }) => {
    const tail = follow(await at(log, 0));
    await log.append(range(1, 5).map((i) => entry("a", `${i}`)));
    await tail.count(5);
    await lose(storage, 3);
    // The newest entry that is left is delivered again.
    await eventually(async () => assert.deepEqual(tail.offsets, [1, 2, 3, 4, 5, 2]));
  });

  // Where the log no longer holds what the tail delivered last, `tail` MUST continue at that offset or before, never
  // after it. A tail that waits for the next offset never delivers the entries that took the place of the lost ones.
  scenario("loss: a tail continues with the entries written in place of lost ones", {}, async (context) => {
    const { log, follow, storage, eventually } = context;
    const tail = follow(await at(log, 0));
    await log.append(range(1, 5).map((i) => entry("a", `${i}`)));
    await tail.count(5);
    await lose(storage, 3);
    await log.append([entry("a", "3 again")]);
    await eventually(async () => assert.equal(tail.entries.at(-1)?.data, "3 again"));
    assertContinues(tail, 5);
    for (const i of range(4, 8)) await log.append([entry("a", `${i} again`)]);
    await assertEndsAt(context, tail, 5, 8);
  });

  // `tail` MUST check each batch against the witness of the entry before it. If the log has grown past the old head by
  // the time the tail looks, its offset alone says that nothing happened.
  scenario("loss: a tail does not treat entries written at once as a continuation", {}, async (context) => {
    const { log, follow, storage } = context;
    const tail = follow(await at(log, 0));
    await log.append(range(1, 5).map((i) => entry("a", `${i}`)));
    await tail.count(5);
    await lose(storage, 3);
    // Grows past the old head at once, so that offset 5 exists again when the tail looks.
    await log.append(range(3, 9).map((i) => entry("a", `${i} again`)));
    await assertEndsAt(context, tail, 5, 9);
  });

  // The position with which a tail begins is verified like any other: a hub starts its tail at a head that it has read
  // a moment ago, and the log may have failed over in between.
  scenario(
    "loss: a tail that begins at a lost position delivers the entries written in its place",
    {},
    async (context) => {
      const { log, follow, storage, eventually } = context;
      await log.append(range(1, 5).map((i) => entry("a", `${i}`)));
      const last = await at(log, 5);
      await lose(storage, 3);
      await eventually(async () => assert.equal((await log.head()).top, 2));
      const tail = follow(last);
      await log.append([entry("a", "3 again")]);
      await assertEndsAt(context, tail, 0, 3);
    },
  );
}

/** A missing method is a mistake of the suite's caller, so it fails here and not with an unclear message of a check. */
async function lose(storage: TestContext["storage"], count: number): Promise<void> {
  if (storage.lose === undefined) throw new Error("The storage of a lossy log has no lose(); add it");
  await storage.lose(count);
}

/** The entries after the first `had` ones begin at the offset of one of those, or after the position at which the tail began. */
function assertContinues({ entries }: TailRecorder, had: number): void {
  const last = entries[had - 1]?.offset ?? 5;
  const next = entries[had]?.offset ?? Number.POSITIVE_INFINITY;
  assert.ok(next <= last, `The tail continued at ${next}, past the lost entries up to ${last}`);
}

/** The tail has continued with the entries that the log has now, without a hole, up to `top`. */
export async function assertEndsAt(
  { log, eventually }: TestContext,
  tail: TailRecorder,
  had: number,
  top: number,
): Promise<void> {
  await eventually(async () => assert.equal(tail.offsets.at(-1), top));
  assertContinues(tail, had);
  // It may have noticed the loss before, and delivered the newest entry that was left.
  const rest = tail.entries.slice(tail.offsets.lastIndexOf(Math.min(...tail.offsets.slice(had))));
  const first = rest[0]?.offset ?? 0;
  assert.deepEqual(offsetsOf(rest), range(first, top));
  assert.deepEqual(dataOf(rest), dataOf((await read(log, first - 1, 100)).entries));
}
