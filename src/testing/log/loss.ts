import assert from "node:assert/strict";
import { at, dataOf, entry, hasCode, offsetsOf, range, read, select, values, witnessAt } from "./ask.ts";
import type { TailRecorder, TestContext, TestScenario } from "./scenario.ts";

/** Losing the newest entries, as a log does whose machine is replaced by a copy that lagged, and going on. */
export function testLoss(scenario: TestScenario): void {
  scenario("loss: what is left is the log", {}, async ({ log, lose, eventually }) => {
    const { epoch } = await log.head();
    await log.append([entry("a", "1", { key: "k" }), entry("a", "2", { key: "k" }), entry("b", "3")]);
    await lose(2);
    await eventually(async () => assert.equal((await log.head()).top, 1));
    assert.equal((await log.head()).epoch, epoch);
    assert.equal(await witnessAt(log, 2), undefined);
    assert.deepEqual(dataOf((await read(log, 0, 10)).entries), ["1"]);
    assert.deepEqual(dataOf(await values(log, select("a"))), ["1"]);
    assert.deepEqual(offsetsOf(await log.append([entry("b")])), [2]);
  });

  scenario("loss: what was promised of lost entries holds no more", {}, async ({ log, lose, eventually }) => {
    const once = entry("a", "once", { idempotencyKey: "k" });
    await log.append([entry("a"), once]);
    await lose(1);
    await eventually(async () => assert.equal((await log.head()).top, 1));
    const [again] = await log.append([once]);
    assert.deepEqual([again?.offset, again?.duplicate === true], [2, false]);
    await assert.rejects(log.append([entry("a", "", { after: await at(log, 1) })]), hasCode("ERR_SSE_CONFLICT"));
    await log.append([entry("a", "", { after: await at(log, 2) })]);
  });

  scenario("loss: a tail goes on with what is written in the place of what it had", {}, async (context) => {
    const { log, follow, lose } = context;
    const follower = follow(await at(log, 0));
    await log.append(range(1, 5).map((i) => entry("a", `${i}`)));
    await follower.count(5);
    await lose(3);
    await log.append([entry("a", "3 again")]);
    await follower.count(6);
    assertGoesOn(follower, 5);
    for (const i of range(4, 8)) await log.append([entry("a", `${i} again`)]);
    await assertIsAt(context, follower, 5, 8);
  });

  scenario("loss: a tail does not take what is written at once for what follows", {}, async (context) => {
    const { log, follow, lose } = context;
    const follower = follow(await at(log, 0));
    await log.append(range(1, 5).map((i) => entry("a", `${i}`)));
    await follower.count(5);
    await lose(3);
    await log.append(range(3, 9).map((i) => entry("a", `${i} again`)));
    await assertIsAt(context, follower, 5, 9);
  });

  scenario("loss: a tail that begins at what is lost hands over what is written in its place", {}, async (context) => {
    const { log, follow, lose, eventually } = context;
    await log.append(range(1, 5).map((i) => entry("a", `${i}`)));
    const last = await at(log, 5);
    await lose(3);
    await eventually(async () => assert.equal((await log.head()).top, 2));
    const follower = follow(last);
    await log.append([entry("a", "3 again")]);
    await assertIsAt(context, follower, 0, 3);
  });
}

/** What came behind the first `had` entries begins in the place of one of those, or of the position at which it began. */
function assertGoesOn({ entries }: TailRecorder, had: number): void {
  const last = entries[had - 1]?.offset ?? 5;
  const next = entries[had]?.offset ?? Number.POSITIVE_INFINITY;
  assert.ok(next <= last, `The tail went on at ${next}, behind what was lost up to ${last}`);
}

/** It has gone on with what the log has now, without a hole, up to `top`. */
async function assertIsAt(
  { log, eventually }: TestContext,
  follower: TailRecorder,
  had: number,
  top: number,
): Promise<void> {
  await eventually(async () => assert.equal(follower.offsets.at(-1), top));
  assertGoesOn(follower, had);
  const rest = follower.entries.slice(had);
  const first = rest[0]?.offset ?? 0;
  assert.deepEqual(offsetsOf(rest), range(first, top));
  assert.deepEqual(dataOf(rest), dataOf((await read(log, first - 1, 100)).entries));
}
