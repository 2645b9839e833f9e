// Retention: how much is kept, and that everything that is gone is declared.
import assert from "node:assert/strict";
import { at, entry, offsetsOf, range, read, select, trimmed, witnessAt } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

export function testRetention(scenario: TestScenario, bySelection: boolean): void {
  testLimits(scenario);
  if (bySelection) testSelectionLoss(scenario);

  // `witnesses` MAY forget, and MUST NOT err. A log that answers for a trimmed offset with the witness of the nearest
  // entry confirms positions that it knows nothing about.
  scenario("retention: witnesses of trimmed entries are right or unknown", { maxEvents: 3 }, async (context) => {
    const { log, eventually } = context;
    const { witness: origin } = await log.head();
    const placed = await log.append(range(1, 20).map((i) => entry("a", "", i % 4 === 0 ? { key: "k" } : {})));
    await eventually(async () => assert.equal((await log.head()).floor.offset, 17));
    const witnesses = await log.witnesses(range(0, 21));
    // Offset 0 is the origin, and the last offset is past the head.
    const expected = [origin, ...placed.map(({ witness }) => witness), undefined];
    for (const [offset, witness] of witnesses.entries()) {
      // The oldest retained entry vouches for the position before it.
      const mayBeUnknown = offset < 17 || offset > 20;
      if (witness !== undefined || !mayBeUnknown) assert.equal(witness, expected[offset], `witness at ${offset}`);
    }
  });

  // `trimmed` and `floor` of a page MUST be of the same state as its entries. A log that reads them in two steps lets
  // retention run in between: the reader passes over the entries that it removed, and no loss is declared.
  scenario(
    "retention: a reader that is overtaken is told of every entry that it misses",
    { maxEvents: 40 },
    async (context) => {
      const { log, eventually } = context;
      const published: number[] = [];
      const accounted = new Set<number>();
      let position = 0;
      let overtaken = 0;
      const step = async (limit: number) => {
        const page = await read(log, position, limit, select("a"));
        const [first] = page.entries;
        assert.ok(first === undefined || first.offset > page.trimmed, `${first?.offset} was trimmed and is returned`);
        if (page.trimmed > position) overtaken++;
        // Trimmed entries are declared, not delivered: a reader reports these offsets as a gap.
        for (const offset of range(position + 1, page.trimmed)) accounted.add(offset);
        for (const { offset } of page.entries) {
          assert.ok(!accounted.has(offset), `${offset} is delivered twice`);
          accounted.add(offset);
        }
        position = page.through;
      };
      // The log keeps 40 entries and grows by 10 in each round, while the reader takes 2: it is overtaken again and
      // again.
      for (const round of range(1, 60)) {
        const entries = range(1, 10).map((i) => entry((i + round) % 3 === 0 ? "a" : "noise", `${round} ${i}`));
        const [placed] = await Promise.all([log.append(entries), step(2)]);
        for (const [i, { offset }] of placed.entries()) if ((i + 1 + round) % 3 === 0) published.push(offset);
      }
      await eventually(async () => assert.ok((await log.head()).floor.offset >= 560));
      while (position < 600) {
        const before = position;
        await step(5);
        assert.ok(position > before, `through stays at ${position}`);
      }
      const missing = published.filter((offset) => !accounted.has(offset));
      assert.deepEqual(missing, [], "entries that were neither delivered nor declared");
      // Otherwise the test has proved nothing about a reader that retention overtakes.
      assert.ok(overtaken > 0, "the reader was never overtaken");
    },
  );
}

function testLimits(scenario: TestScenario): void {
  // Retention removes the oldest entries, and never the newest one: it is the head, by which every client is verified.
  scenario("retention: maxEvents trims from the beginning", { maxEvents: 5 }, async ({ log, eventually }) => {
    await log.append([entry("a"), entry("a")]);
    assert.equal((await log.head()).floor.offset, 0);
    for (const _ of range(1, 6)) await log.append(range(1, 3).map(() => entry("a")));
    await eventually(async () => assert.equal((await log.head()).floor.offset, 15));
    const page = await read(log, 0, 100);
    assert.deepEqual([offsetsOf(page.entries), page.trimmed, page.through], [range(16, 20), 15, 20]);
    assert.deepEqual(offsetsOf(await log.last(10, select("a"))), range(16, 20));
    assert.equal(page.floor.witness, page.entries[0]?.previousWitness);
    assert.deepEqual(page.floor, (await log.head()).floor);
    assert.equal(await witnessAt(log, 15), page.floor.witness);
    assert.equal((await log.append([entry("a")]))[0]?.offset, 21);
  });

  // An entry that is larger than the limit on its own MUST stay until there is another. A log that trims down to the
  // limit empties itself, and loses its head with it.
  scenario("retention: maxBytes keeps the newest, however large", { maxBytes: "4kb" }, async ({ log, eventually }) => {
    for (const i of range(1, 40)) await log.append([entry("a", `${i}`.padEnd(500))]);
    await eventually(async () => {
      const kept = 40 - (await log.head()).floor.offset;
      // `maxBytes` is approximate: logs add names, types and overhead to the 500 bytes of data.
      assert.ok(kept >= 2 && kept <= 8, `${kept} entries of 500 bytes are kept in 4 kB`);
    });
    await log.append([entry("a", "x".repeat(20_000))]);
    await eventually(async () => assert.equal((await log.head()).floor.offset, 40));
    assert.deepEqual(offsetsOf((await read(log, 0, 10)).entries), [41]);
  });

  // Ages are those of this test's clock. A log that removes expired entries only when something is appended keeps them
  // in a quiet log for as long as it is quiet.
  scenario("retention: maxAge removes older entries, and keeps the newest", { maxAge: 40 }, async (context) => {
    const { log, eventually } = context;
    await log.append([entry("a"), entry("a"), entry("a")]);
    await eventually(async () => assert.equal((await log.head()).floor.offset, 2));
    assert.deepEqual(offsetsOf((await read(log, 0, 10)).entries), [3]);
  });

  // Retention in large steps is allowed, in the direction of keeping more. A log that divides its entries into groups
  // has to wait until the newest one of a group has expired.
  scenario("retention: no entry is removed before its time", { maxAge: "1h", maxEvents: 1_000 }, async ({ log }) => {
    for (const _ of range(1, 20)) await log.append(range(1, 10).map(() => entry("a")));
    const page = await read(log, 0, 1_000);
    assert.deepEqual([page.entries.length, page.trimmed], [200, 0]);
    assert.deepEqual(page.floor, { offset: 0, witness: (await at(log, 0)).witness });
  });
}

function testSelectionLoss(scenario: TestScenario): void {
  // `trimmed` is that of the selection. A log that answers with its floor declares a gap to every client of a quiet
  // channel that reconnects, whatever happened on the others.
  scenario("retention: a channel is told only of its own losses", { maxEvents: 5 }, async (context) => {
    const { log, eventually } = context;
    await log.append(range(1, 20).map(() => entry("noise/1")));
    await log.append([entry("quiet"), entry("noise/1"), entry("noise/2")]);
    await eventually(async () => assert.equal((await log.head()).floor.offset, 18));
    for (const conflate of [true, false]) {
      const trimmedOf = (...names: string[]) => trimmed(log, select(...names), { conflate });
      assert.equal(await trimmedOf("quiet"), 0);
      assert.equal(await trimmedOf("never"), 0);
      assert.equal(await trimmedOf("noise/2"), 0);
      assert.equal(await trimmedOf("noise/1"), 18);
      assert.equal(await trimmedOf("quiet", "noise/*"), 18);
      assert.equal((await read(log, 0, 10, select("quiet"), { conflate })).trimmed, 0);
      assert.equal((await read(log, 0, 10, select("noise/*"), { conflate })).trimmed, 18);
    }

    // Now the quiet channel has lost its only entry, which had the offset 21, and nothing after it.
    await log.append(range(1, 7).map(() => entry("noise/1")));
    await eventually(async () => assert.equal((await log.head()).floor.offset, 25));
    assert.equal(await trimmed(log, select("quiet")), 21);
    assert.equal((await read(log, 0, 10, select("qui*"))).trimmed, 21);
    await log.append([entry("quiet")]);
    assert.equal(await trimmed(log, select("quiet")), 21);
  });

  // With `conflate`, an entry whose key has a newer one is not missed. A log that counts it declares a gap to clients
  // that are about to receive the newer one.
  scenario(
    "retention: an entry that a newer one of its key supersedes is not a loss",
    { maxEvents: 2 },
    async (context) => {
      const { log, eventually } = context;
      await log.append(range(1, 6).map((i) => entry("state", `${i}`, { key: "k" })));
      await eventually(async () => assert.equal((await log.head()).floor.offset, 4));
      assert.equal((await read(log, 0, 10, select("state"))).trimmed, 0);
    },
  );
}
