// Pages: their bounds, where they end, and the last few entries.
import assert from "node:assert/strict";
import { weightOf } from "../../log/retention.ts";
import { dataOf, entry, offsetsOf, range, read, readOn, select } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

export function testRead(scenario: TestScenario): void {
  // `read` MUST NOT leave out a selected entry in (after, through]. The bugs are at the borders: a page that ends with
  // the last entry that it looked at and not with the last one that it returned, and one that ends exactly with the
  // log.
  scenario("read: pages follow each other without hole or repetition", {}, async ({ log }) => {
    await log.append(range(1, 25).map((i) => entry(i % 3 === 0 ? "a" : "b", `${i}`)));
    // Pages of one entry, pages that divide the log or do not, and a page larger than the log.
    for (const limit of [1, 2, 7, 25, 100]) {
      assert.deepEqual(offsetsOf(await readOn(log, 0, limit)), range(1, 25), `pages of ${limit}`);
      const threes = range(1, 8).map((i) => i * 3);
      assert.deepEqual(offsetsOf(await readOn(log, 0, limit, select("a"))), threes, `pages of ${limit}`);
    }
  });

  // `read` MUST make progress even where nothing is selected. A log that returns `through: after` with an empty page
  // keeps its reader in a loop.
  scenario("read: through is where to read on", {}, async ({ log }) => {
    await log.append([entry("a"), entry("b"), entry("a"), entry("b")]);
    const { epoch, floor } = await log.head();
    const page = await read(log, 0, 1, select("a"));
    assert.deepEqual([page.epoch, offsetsOf(page.entries), page.trimmed], [epoch, [1], 0]);
    assert.deepEqual(page.floor, floor);
    // A log may account for the entry of the other channel at once, or leave it to the next page.
    assert.ok(page.through === 1 || page.through === 2, `through is ${page.through}`);
    assert.equal((await read(log, 1, 10, select("a"))).through, 4);
    assert.equal((await read(log, 0, 10, select("unknown"))).through, 4);
    assert.deepEqual((await read(log, 4, 10)).entries, []);
    // A client may come with a position that a failover has lost: past the head, `through` must not go back.
    const beyond = await read(log, 9, 10);
    assert.deepEqual([beyond.entries, beyond.through], [[], 9]);
  });

  // A `read` after `append` has resolved MUST return the entries: the publisher may tell others of them. A log that
  // reads from a replica does not have them yet.
  scenario("read: an entry is read as soon as it was appended", {}, async ({ log }) => {
    // Repeated, because a replica lags only now and then.
    for (const i of range(1, 20)) {
      await log.append([entry("a", `${i}`)]);
      assert.deepEqual(dataOf((await read(log, i - 1, 10, select("a"))).entries), [`${i}`]);
    }
  });

  // A page MUST NOT exceed `maxBytes` by more than one entry, and MUST have one however large it is. A page that is
  // bounded by count reads gigabytes for one slow client; one that refuses a large entry never gets past it.
  scenario("read: a page has no more than maxBytes and one entry, and always one", {}, async ({ log }) => {
    const sizes = [10, 3_000, 50, 50, 20_000, 50, 900, 900, 900, 5];
    for (const size of sizes) await log.append([entry("a", "x".repeat(size)), entry("b", "")]);
    // Each form of a selection may be another query, with a bound of its own.
    for (const selection of [undefined, select("a"), select("a*"), select("*")]) {
      for (const conflate of [true, false]) {
        const all = offsetsOf((await read(log, 0, 100, selection, { conflate })).entries);
        for (const maxBytes of [0, 1, 1_000, 2_000, 100_000]) {
          const found: number[] = [];
          for (let position = 0; position < 20; ) {
            const page = await read(log, position, 100, selection, { maxBytes, conflate });
            const weights = page.entries.map(weightOf);
            const bytes = weights.slice(0, -1).reduce((sum, weight) => sum + weight, 0);
            assert.ok(bytes <= maxBytes, `${bytes} bytes and one entry in a page of ${maxBytes}`);
            assert.ok(page.through > position, `through stays at ${page.through}`);
            found.push(...offsetsOf(page.entries));
            position = page.through;
          }
          assert.deepEqual(found, all, `pages of ${maxBytes} bytes`);
        }
      }
    }
    assert.deepEqual(offsetsOf((await read(log, 8, 100, select("a"), { maxBytes: 1 })).entries), [9]);
  });

  // `last` MUST return the newest entries of a selection, oldest first. A log that takes the last of each channel
  // returns too many, and one that stops at a scan limit returns too few.
  scenario("last: the newest of a selection, oldest first", {}, async ({ log }) => {
    await log.append(range(1, 12).map((i) => entry(i % 2 === 0 ? "even" : "odd", `${i}`)));
    assert.deepEqual(offsetsOf(await log.last(2, select("even"))), [10, 12]);
    assert.deepEqual(offsetsOf(await log.last(3, select("even", "odd"))), [10, 11, 12]);
    assert.deepEqual(offsetsOf(await log.last(3, select("*"))), [10, 11, 12]);
    assert.deepEqual(offsetsOf(await log.last(3, select("o*"))), [7, 9, 11]);
    assert.deepEqual(offsetsOf(await log.last(100, select("odd"))), [1, 3, 5, 7, 9, 11]);
    assert.deepEqual(await log.last(3, select("unknown")), []);
  });
}
