import assert from "node:assert/strict";
import { at, dataOf, entry, offsetsOf, range, read, select, values, witnessAt } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

/** Latest value and conflation. */
export function testKeys(scenario: TestScenario): void {
  scenario("key: superseded entries are left out of pages and counted", {}, async ({ log }) => {
    await log.append([keyed("a", "x1"), keyed("a", "y1"), entry("a", "plain"), keyed("a", "x2"), keyed("a", "x3")]);
    const page = await read(log, 0, 10, select("a"));
    assert.deepEqual(dataOf(page.entries), ["y1", "plain", "x3"]);
    assert.deepEqual([page.conflated, page.through], [2, 5]);
    const rest = await read(log, 2, 10, select("a"));
    assert.deepEqual([dataOf(rest.entries), rest.conflated], [["plain", "x3"], 1]);
    const all = await read(log, 0, 10);
    assert.deepEqual([dataOf(all.entries), all.conflated], [["y1", "plain", "x3"], 2]);
    assert.equal(typeof (await witnessAt(log, 1)), "number");
  });

  scenario("key: each superseded entry is counted on one page", {}, async ({ log }) => {
    await log.append(range(1, 60).map((i) => (i % 4 === 0 ? entry("a", `${i}`) : keyed("a", `k${i % 5} ${i}`))));
    for (const limit of [1, 3, 100]) {
      let [position, delivered, conflated] = [0, 0, 0];
      while (position < 60) {
        const page = await read(log, position, limit, select("a"));
        assert.ok(page.through > position, `through stays at ${page.through}`);
        delivered += page.entries.length;
        conflated += page.conflated;
        position = page.through;
      }
      assert.deepEqual([delivered, conflated], [20, 40], `pages of ${limit}`);
    }
  });

  scenario("key: is one of its channel", {}, async ({ log }) => {
    await log.append([keyed("a", "k1"), keyed("b", "k1"), keyed("a", "k2")]);
    assert.deepEqual(dataOf((await read(log, 0, 10)).entries), ["k1", "k2"]);
    assert.deepEqual(dataOf((await read(log, 0, 10, select("b"))).entries), ["k1"]);
  });

  scenario("key: latest gives the newest of each, in order", {}, async ({ log }) => {
    await log.append([keyed("a/1", "x1"), keyed("a/1", "y1"), keyed("a/2", "x1"), entry("a/1"), keyed("a/1", "x2")]);
    assert.deepEqual(offsetsOf(await values(log, select("a/1"))), [2, 5]);
    assert.deepEqual(offsetsOf(await values(log, select("a/*"))), [2, 3, 5]);
    assert.deepEqual(offsetsOf(await values(log, select("a/2", "a/*"))), [2, 3, 5]);
    assert.deepEqual(await values(log, select("unknown")), []);
  });

  scenario("key: last does not count superseded entries", {}, async ({ log }) => {
    await log.append([entry("a", "plain"), keyed("a", "x1"), keyed("a", "x2"), keyed("a", "x3")]);
    assert.deepEqual(dataOf(await log.last(2, select("a"))), ["plain", "x3"]);
  });

  scenario("key: a tail gets superseded entries too", {}, async ({ log, follow }) => {
    await log.append([keyed("a", "x1"), keyed("a", "x2")]);
    const follower = follow(await at(log, 0));
    await log.append([keyed("a", "x3")]);
    await follower.count(3);
    assert.deepEqual(dataOf(follower.entries), ["x1", "x2", "x3"]);
  });

  scenario("key: the newest outlives retention, until it is superseded", { maxEvents: 4 }, async (context) => {
    const { log, eventually } = context;
    await log.append([keyed("a", "x1"), keyed("a", "x2"), entry("a", "plain"), keyed("a", "y1")]);
    await log.append(range(1, 8).map(() => entry("noise")));
    await eventually(async () => assert.equal((await log.head()).floor.offset, 8));
    assert.deepEqual(dataOf(await values(log, select("a"))), ["x2", "y1"]);
    assert.deepEqual(dataOf((await read(log, 0, 10, select("a"))).entries), ["x2", "y1"]);
    assert.deepEqual(dataOf((await read(log, 2, 10, select("a"))).entries), ["y1"]);
    assert.deepEqual(dataOf(await log.last(1, select("a"))), ["y1"]);

    await log.append([keyed("a", "x3")]);
    assert.deepEqual(dataOf(await values(log, select("a"))), ["y1", "x3"]);
    const page = await read(log, 0, 10, select("a"));
    assert.deepEqual([dataOf(page.entries), page.conflated], [["y1", "x3"], 0]);
  });
}

/** The key is the first word of the data, without its digits. */
function keyed(channel: string, data: string) {
  return entry(channel, data, { key: data.includes(" ") ? (data.split(" ")[0] as string) : data.replace(/\d+$/, "") });
}
