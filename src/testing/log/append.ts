import assert from "node:assert/strict";
import { at, dataOf, entry, hasCode, offsetsOf, range, read, select, witnessAt } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

/** Places, witnesses, batches, conditions, repetitions. */
export function testAppend(scenario: TestScenario): void {
  scenario("append: an empty log has an epoch and nothing else", {}, async ({ log }) => {
    const { epoch, top, witness, floor } = await log.head();
    assert.match(epoch, /^[\w-]{1,12}$/);
    assert.ok(Number.isInteger(witness) && witness > 0 && witness < 2 ** 32, `the origin's witness is ${witness}`);
    assert.deepEqual([top, floor], [0, { offset: 0, witness }]);
    assert.deepEqual(await log.append([]), []);
    assert.equal((await log.head()).top, 0);
  });

  scenario("append: offsets are 1, 2, 3 … in the order of the calls", {}, async ({ log }) => {
    const first = await log.append([entry("a"), entry("b")]);
    const calls = await Promise.all(range(1, 50).map((i) => log.append([entry("a", `${i}`), entry("b", `${i}`)])));
    const placed = [...first, ...calls.flat()];
    assert.deepEqual(offsetsOf(placed), range(1, 102));
    assert.equal(new Set(placed.map(({ epoch }) => epoch)).size, 1);
    const { entries } = await read(log, 2, 200);
    assert.deepEqual(
      dataOf(entries),
      range(1, 50).flatMap((i) => [`${i}`, `${i}`]),
    );
    assert.ok(placed.every(({ duplicate }) => !duplicate));
  });

  scenario("append: each entry has a random witness, the same ever after", {}, async ({ log }) => {
    const placed = await log.append(range(1, 64).map(() => entry("a")));
    const witnesses = placed.map(({ witness }) => witness);
    assert.ok(witnesses.every((witness) => Number.isInteger(witness) && witness > 0 && witness < 2 ** 32));
    assert.ok(new Set(witnesses).size > 60, "witnesses repeat");
    const { entries } = await read(log, 0, 100);
    assert.deepEqual(
      entries.map(({ witness }) => witness),
      witnesses,
    );
    assert.equal((await log.head()).witness, witnesses.at(-1));
    assert.equal(await witnessAt(log, 7), witnesses[6]);
    assert.equal(await witnessAt(log, 65), undefined);
    assert.equal(await witnessAt(log, 0), entries[0]?.previousWitness);
    assert.deepEqual(
      entries.slice(1).map(({ previousWitness }) => previousWitness),
      witnesses.slice(0, -1),
    );
  });

  scenario("append: an entry comes back as it was", {}, async ({ log }) => {
    const texts = ["", " ", "line\nline\r\n", "nul \0 nul", "\ufeffgrüße 你好 🎉", "\"quoted'", "x".repeat(200_000)];
    const started = Date.now();
    await log.append(texts.map((text) => entry("a:ü", text, { type: "ty pe", sender: "me" })));
    await log.append([entry("b", "plain"), entry("b", "keyed", { key: "k" })]);
    const { entries } = await read(log, 0, 100);
    assert.deepEqual(dataOf(entries).slice(0, texts.length), texts);
    const { channel, type, sender, key, time } = entries[0] ?? {};
    assert.deepEqual({ channel, type, sender, key }, { channel: "a:ü", type: "ty pe", sender: "me", key: undefined });
    assert.ok(Math.abs((time ?? 0) - started) < 3_600_000, `time is ${time}`);
    const [plain, keyed] = entries.slice(-2);
    assert.deepEqual([plain?.key, plain?.sender, keyed?.key], [undefined, undefined, "k"]);
  });

  scenario("append: the entries of one call stand next to each other", {}, async ({ log }) => {
    const calls = range(1, 20).map((i) => log.append(range(1, 5).map(() => entry("a", `${i}`))));
    for (const placed of await Promise.all(calls)) {
      const [first] = placed;
      assert.deepEqual(offsetsOf(placed), range(first?.offset ?? 0, (first?.offset ?? 0) + 4));
    }
  });

  scenario("append: a call is stored as a whole or not at all, and its failure is its own", {}, async ({ log }) => {
    const origin = await at(log, 0);
    await log.append([entry("taken")]);
    const results = await Promise.allSettled([
      log.append([entry("a", "1")]),
      log.append([entry("a", "refused"), entry("taken", "refused", { after: origin }), entry("a", "refused")]),
      log.append([entry("a", "2")]),
    ]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    const { entries } = await read(log, 1, 10);
    assert.deepEqual(dataOf(entries), ["1", "2"]);
    assert.deepEqual(offsetsOf(entries), [2, 3]);
  });

  scenario("after: accepts when the channel has nothing behind it, refuses otherwise", {}, async ({ log }) => {
    const [first] = await log.append([entry("a", "first", { after: await at(log, 0) }), entry("b")]);
    await log.append([entry("a", "second", { after: first })]);
    await assert.rejects(log.append([entry("a", "late", { after: await at(log, 2) })]), hasCode("ERR_SSE_CONFLICT"));
    const [placed] = await log.append([entry("a", "third", { after: await at(log, 3) })]);
    assert.equal(placed?.offset, 4);
    assert.deepEqual(dataOf((await read(log, 0, 10, select("a"))).entries), ["first", "second", "third"]);
  });

  scenario("after: of two publishers that expect the same one wins", {}, async ({ log }) => {
    const after = await at(log, 0);
    const results = await Promise.allSettled(range(1, 8).map(() => log.append([entry("a", "", { after })])));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal((await log.head()).top, 1);
  });

  scenario("after: the entries of one call do not stand in each other's way", {}, async ({ log }) => {
    const after = await at(log, 0);
    const placed = await log.append([entry("a", "1", { after }), entry("a", "2", { after })]);
    assert.deepEqual(offsetsOf(placed), [1, 2]);
  });

  scenario("idempotencyKey: a repeated entry is returned and not stored again", {}, async ({ log }) => {
    const once = entry("a", "once", { idempotencyKey: "k" });
    const [first] = await log.append([once]);
    const again = await log.append([entry("a", "new"), once, entry("b", "other channel", { idempotencyKey: "k" })]);
    assert.deepEqual(offsetsOf(again), [2, 1, 3]);
    assert.deepEqual(
      again.map(({ duplicate }) => duplicate ?? false),
      [false, true, false],
    );
    assert.equal(again[1]?.witness, first?.witness);
    assert.deepEqual(dataOf((await read(log, 0, 10)).entries), ["once", "new", "other channel"]);
    const both = await Promise.all(range(1, 4).map(() => log.append([entry("a", "", { idempotencyKey: "same" })])));
    assert.equal(new Set(offsetsOf(both.flat())).size, 1);
  });

  scenario("idempotencyKey: twice in one call is stored once", {}, async ({ log }) => {
    const once = entry("a", "once", { idempotencyKey: "k" });
    assert.deepEqual(offsetsOf(await log.append([once, once, entry("a")])), [1, 1, 2]);
  });

  scenario("idempotencyKey: a publisher that tries again is not refused by its own entry", {}, async ({ log }) => {
    const once = entry("a", "once", { idempotencyKey: "k", after: await at(log, 0) });
    await log.append([once]);
    const [again] = await log.append([once]);
    assert.deepEqual([again?.offset, again?.duplicate], [1, true]);
  });

  scenario("idempotencyKey: is forgotten after its window", { idempotencyWindow: 30 }, async ({ log, eventually }) => {
    const once = entry("a", "once", { idempotencyKey: "k" });
    await log.append([once]);
    await eventually(async () => assert.equal((await log.append([once]))[0]?.duplicate ?? false, false));
    assert.equal((await log.head()).top, 2);
  });
}
