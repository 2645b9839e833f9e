// Offsets, witnesses, batches, and what an entry is when it comes back.
import assert from "node:assert/strict";
import { dataOf, entry, offsetsOf, range, read, witnessAt } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

export function testAppend(scenario: TestScenario): void {
  // `append` MUST start a new epoch, and `head` MUST name a position before the first entry: clients of an empty log
  // stand there. A log that draws its origin with the first append has nothing to verify them by, and one that stores
  // an empty call wastes an offset.
  scenario("append: an empty log has an epoch, an origin, and nothing else", {}, async ({ log }) => {
    const { epoch, top, witness, floor } = await log.head();
    assert.match(epoch, /^[\w-]{1,12}$/);
    assertWitness(witness);
    assert.deepEqual([top, floor], [0, { offset: 0, witness }]);
    assert.equal(await witnessAt(log, 0), witness);
    assert.deepEqual(await log.append([]), []);
    assert.equal((await log.head()).top, 0);
  });

  // `append` MUST give offsets without holes, in the order in which it accepted the calls. A log that takes them from a
  // sequence of its store leaves a hole for every transaction that fails, and one that stores calls in parallel swaps
  // them.
  scenario("append: offsets are 1, 2, 3 … in the order of the calls", {}, async ({ log }) => {
    const first = await log.append([entry("a"), entry("b")]);
    const calls = await Promise.all(range(1, 50).map((i) => log.append([entry("a", `${i} a`), entry("b", `${i} b`)])));
    const placed = [...first, ...calls.flat()];
    const ascending = (offsets: number[]) => offsets.sort((a, b) => a - b);
    assert.deepEqual(ascending(offsetsOf(placed)), range(1, 102));
    // Calls of one tick are accepted in the order in which they were made, although they are stored together.
    const firsts = calls.map(([one]) => one?.offset ?? 0);
    assert.deepEqual(firsts, ascending([...firsts]));
    assert.equal(new Set(placed.map(({ epoch }) => epoch)).size, 1);
    assert.ok(placed.every(({ duplicate }) => !duplicate));
    const { entries } = await read(log, 0, 200);
    assert.deepEqual(offsetsOf(entries), range(1, 102));
    const byOffset = new Map(entries.map(({ offset, data }) => [offset, data]));
    for (const [i, call] of calls.entries()) {
      const data = call.map(({ offset }) => byOffset.get(offset));
      assert.deepEqual(data, [`${i + 1} a`, `${i + 1} b`]);
    }
  });

  // `append` MUST store a random witness with each entry and return it unchanged: it alone distinguishes a rewritten
  // tail from the real one. A hash of the data, or a counter, is the same again after a loss, and a signed column returns half of
  // them negative.
  scenario("append: each entry has a random witness, and returns with it", {}, async ({ log }) => {
    const placed = await log.append(range(1, 64).map(() => entry("a")));
    const witnesses = placed.map(({ witness }) => witness);
    for (const witness of witnesses) assertWitness(witness);
    // Two of 64 random 32-bit numbers are equal once in two million runs, so repetitions show that they are not random.
    assert.ok(new Set(witnesses).size > 60, "witnesses repeat");
    const { entries } = await read(log, 0, 100);
    assert.deepEqual(
      entries.map(({ witness }) => witness),
      witnesses,
    );
    assert.equal((await log.head()).witness, witnesses.at(-1));
    assert.deepEqual(await log.witnesses([7, 64, 65, 1]), [witnesses[6], witnesses[63], undefined, witnesses[0]]);
    assert.deepEqual(await log.witnesses([]), []);
  });

  // `append` MUST store the predecessor's witness: the first retained entry vouches for the position before it. A log
  // that computes it when it reads has nothing to compute it from once the predecessor is trimmed, or links entries of
  // one channel.
  scenario(
    "append: each entry has the witness of the one before it, the first that of the origin",
    {},
    async ({ log }) => {
      const { witness: origin } = await log.head();
      for (const i of range(1, 4))
        await log.append(range(1, i).map((n) => entry(`c${n}`, "", n === 2 ? { key: "k" } : {})));
      const { entries } = await read(log, 0, 100, undefined, { conflate: false });
      assert.deepEqual(
        entries.map(({ previousWitness }) => previousWitness),
        [origin, ...entries.slice(0, -1).map(({ witness }) => witness)],
      );
      const { entries: selected } = await read(log, 0, 100, { channels: ["c3"], prefixes: [] });
      for (const one of selected) assert.equal(one.previousWitness, entries[one.offset - 2]?.witness);
    },
  );

  // `append` MUST return entries unchanged. Stores change text in more ways than one expects: an empty one becomes
  // NULL, a NUL ends it, a BOM is stripped, a long one does not fit a row.
  scenario("append: an entry comes back as it was", {}, async ({ log }) => {
    // Some store loses each of these: an empty one as NULL, text after a NUL, a BOM, or a value too large for a
    // row.
    const texts = ["", " ", "line\nline\r\n", "nul \0 nul", "\ufeffgrüße 你好 🎉", "\"quoted'", "x".repeat(200_000)];
    const started = Date.now();
    await log.append(texts.map((text) => entry("a:ü", text, { type: "ty pe", sender: "me" })));
    await log.append([entry("b", "plain"), entry("b", "keyed", { key: "k" })]);
    const { entries } = await read(log, 0, 100);
    assert.deepEqual(dataOf(entries).slice(0, texts.length), texts);
    const { channel, type, sender, key, time } = entries[0] ?? {};
    assert.deepEqual({ channel, type, sender, key }, { channel: "a:ü", type: "ty pe", sender: "me", key: undefined });
    // `time` is for people and may come from another machine, so only its unit is checked.
    assert.ok(Math.abs((time ?? 0) - started) < 3_600_000, `time is ${time}`);
    const [plain, keyed] = entries.slice(-2);
    assert.deepEqual([plain?.key, plain?.sender, keyed?.key], [undefined, undefined, "k"]);
  });

  // With `atomicBatch`, `append` MUST store the entries of one call next to each other. A log that writes a call entry
  // by entry lets another publisher in between.
  scenario("append: an atomic batch is stored next to each other", {}, async ({ log, declares }) => {
    if (!declares("atomicBatch")) return;
    // Without waiting in between, so that a log which writes entry by entry interleaves the calls.
    const calls = range(1, 20).map((i) => log.append(range(1, 5).map(() => entry("a", `${i}`))));
    for (const placed of await Promise.all(calls)) {
      const [first] = placed;
      assert.deepEqual(offsetsOf(placed), range(first?.offset ?? 0, (first?.offset ?? 0) + 4));
    }
  });
}

function assertWitness(witness: number): void {
  assert.ok(Number.isInteger(witness) && witness > 0 && witness < 2 ** 32, `a witness is ${witness}`);
}
