// Keys: superseded entries, and the newest entry of each key.
import assert from "node:assert/strict";
import type { NewEntry } from "../../log/log.ts";
import { weightOf } from "../../log/retention.ts";
import { at, dataOf, entry, offsetsOf, range, read, readOn, select, trimmed, values } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

export function testKeys(scenario: TestScenario): void {
  testConflation(scenario);
  testValues(scenario);
}

function testConflation(scenario: TestScenario): void {
  // With `conflate`, `read` MUST leave out superseded entries alone, and count them in `conflated`. A log that
  // conflates always takes from a reader with a filter the only entry that the reader would have received.
  scenario("key: superseded entries are left out of pages and counted, on request", {}, async ({ log, declares }) => {
    const entries = [keyed("a", "x1"), keyed("a", "y1"), entry("a", "plain"), keyed("a", "x2"), keyed("a", "x3")];
    await log.append(entries);
    for (const selection of [select("a"), select("a*"), undefined]) {
      const whole = await read(log, 0, 10, selection, { conflate: false });
      assert.deepEqual([dataOf(whole.entries), whole.conflated], [["x1", "y1", "plain", "x2", "x3"], 0]);
      if (!declares("conflation")) continue;
      const page = await read(log, 0, 10, selection);
      assert.deepEqual([dataOf(page.entries), page.conflated, page.through], [["y1", "plain", "x3"], 2, 5]);
      // The first superseded entry is before this offset, and is not counted again.
      const rest = await read(log, 2, 10, selection);
      assert.deepEqual([dataOf(rest.entries), rest.conflated], [["plain", "x3"], 1]);
    }
    assert.equal(typeof (await at(log, 1)).witness, "number");
  });

  // `conflated` MUST account for each entry of (after, through] that is not on the page. A log that counts up to its
  // head counts the same ones on every page.
  scenario("key: each superseded entry is counted on one page", {}, async ({ log, declares }) => {
    await log.append(range(1, 60).map((i) => (i % 4 === 0 ? entry("a", `${i}`) : keyed("a", `k${i % 5} ${i}`))));
    const all = await readOn(log, 0, 7, select("a"), { conflate: false });
    assert.deepEqual(offsetsOf(all), range(1, 60));
    for (const limit of declares("conflation") ? [1, 3, 100] : []) {
      // 15 plain entries and the newest of 5 keys are delivered. The other 40 are counted, each on exactly one page.
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

  // A key is one of its channel: a log with an index on the key alone lets channels supersede each other.
  scenario("key: is one of its channel", {}, async ({ log, declares }) => {
    await log.append([keyed("a", "k1"), keyed("b", "k1"), keyed("a", "k2")]);
    // Channel b must not lose its value to the later entry of channel a.
    assert.deepEqual(dataOf([...(await values(log, select("b")))]), ["k1"]);
    if (!declares("conflation")) return;
    assert.deepEqual(dataOf((await read(log, 0, 10)).entries), ["k1", "k2"]);
    assert.deepEqual(dataOf((await read(log, 0, 10, select("b"))).entries), ["k1"]);
  });

  // `last` MUST NOT count superseded entries: clients would be sent older states of the same thing in place of other
  // events.
  scenario("key: last does not count superseded entries", {}, async ({ log }) => {
    await log.append([entry("a", "plain"), keyed("a", "x1"), keyed("a", "x2"), keyed("a", "x3")]);
    assert.deepEqual(dataOf(await log.last(2, select("a"))), ["plain", "x3"]);
  });

  // `tail` MUST deliver superseded entries: the ring of a hub has no holes. A log that reads its tail through the view
  // that conflates leaves some out for tails that lag, and for those alone.
  scenario("key: a tail delivers superseded entries too", {}, async ({ log, follow }) => {
    const tail = follow(await at(log, 0));
    await log.append([keyed("a", "x1"), keyed("a", "x2")]);
    await log.append([keyed("a", "x3")]);
    // Begins after the appends: it reads what the other tail was offered.
    const late = follow(await at(log, 0));
    for (const each of [tail, late]) {
      await each.count(3);
      assert.deepEqual(dataOf(each.entries), ["x1", "x2", "x3"]);
    }
  });
}

function testValues(scenario: TestScenario): void {
  // `latestByKey` MUST return the newest entry of each key once, in the order of the offsets, however often a selection
  // names its channel. A log that asks channel by channel returns them in the order of the channels.
  scenario("key: latestByKey returns the newest of each, in order", {}, async ({ log }) => {
    await log.append([keyed("a/1", "x1"), keyed("a/1", "y1"), keyed("a/2", "x1"), entry("a/1"), keyed("a/1", "x2")]);
    assert.deepEqual(offsetsOf(await values(log, select("a/1"))), [2, 5]);
    assert.deepEqual(offsetsOf(await values(log, select("a/*"))), [2, 3, 5]);
    assert.deepEqual(offsetsOf(await values(log, select("a/2", "a/*"))), [2, 3, 5]);
    assert.deepEqual(await values(log, select("unknown")), []);
  });

  // A page of values MUST NOT exceed `maxBytes` by more than one entry, nor pass `upTo`: later values reach the client
  // as events. A log that bounds by count alone holds gigabytes for a new client.
  scenario("key: pages of latestByKey are bounded by bytes, and by both offsets", {}, async ({ log }) => {
    const sizes = [10, 3_000, 50, 20_000, 50, 50, 900];
    await log.append([keyed("a", "first"), ...sizes.map((size, i) => entry("a", "x".repeat(size), { key: `k${i}` }))]);
    await log.append([entry("a", "new", { key: "k2" }), entry("a", "plain"), entry("b", "other", { key: "k" })]);
    const { epoch } = await log.head();
    const expected = [1, 2, 3, 5, 6, 7, 8, 9];
    for (const selection of [select("a"), select("a*")]) {
      // 0 still returns one value for each page: a value larger than the bound must not stop a snapshot.
      for (const maxBytes of [0, 1_000, 4_000, 1_000_000]) {
        const found: number[] = [];
        for (let position = 0; position < 11; ) {
          const page = await log.latestByKey(selection, { after: position, upTo: 11, maxBytes });
          const bytes = page.entries.slice(0, -1).reduce((sum, each) => sum + weightOf(each), 0);
          assert.ok(bytes <= maxBytes, `${bytes} bytes and one entry in a page of ${maxBytes}`);
          assert.ok(page.through > position && page.through <= 11, `through is ${page.through} after ${position}`);
          assert.equal(page.epoch, epoch);
          found.push(...offsetsOf(page.entries));
          position = page.through;
        }
        assert.deepEqual(found, expected, `pages of ${maxBytes} bytes`);
      }
      // Both bounds count: a client in the middle of its values asks for the rest, up to the position that it was told.
      const middle = await log.latestByKey(selection, { after: 2, upTo: 8, maxBytes: 1_000_000 });
      assert.deepEqual([offsetsOf(middle.entries), middle.through], [[3, 5, 6, 7, 8], 8]);
      const none = await log.latestByKey(selection, { after: 9, upTo: 11, maxBytes: 1_000_000 });
      assert.deepEqual([none.entries, none.through], [[], 11]);
    }
  });

  // The newest entry of each key MUST outlive retention, so that a new client gets the present state of a quiet
  // channel. A log that trims by offset removes it with its neighbors; one that never removes it keeps what was
  // superseded.
  scenario("key: the newest outlives retention, until it is superseded", { maxEvents: 4 }, async (context) => {
    const { log, eventually, declares } = context;
    // x1 is superseded before it is trimmed, so only x2 is kept.
    await log.append([keyed("a", "x1"), keyed("a", "x2"), entry("a", "plain"), keyed("a", "y1")]);
    await log.append(range(1, 8).map(() => entry("noise")));
    await eventually(async () => assert.equal((await log.head()).floor.offset, 8));
    for (const selection of [select("a"), select("a*")]) {
      assert.deepEqual(dataOf([...(await values(log, selection))]), ["x2", "y1"]);
      for (const conflate of [true, false]) {
        assert.deepEqual(dataOf((await read(log, 0, 10, selection, { conflate })).entries), ["x2", "y1"]);
        assert.deepEqual(dataOf((await read(log, 2, 10, selection, { conflate })).entries), ["y1"]);
      }
      assert.deepEqual(dataOf(await log.last(1, selection)), ["y1"]);
    }
    // A kept entry still has the witness of the one that was before it, which is long gone.
    const [kept] = (await read(log, 0, 10, select("a"))).entries;
    assert.ok(kept !== undefined && kept.previousWitness > 0);

    await log.append([keyed("a", "x3")]);
    assert.deepEqual(dataOf([...(await values(log, select("a")))]), ["y1", "x3"]);
    if (!declares("conflation")) return;
    const page = await read(log, 0, 10, select("a"));
    assert.deepEqual([dataOf(page.entries), page.conflated], [["y1", "x3"], 0]);
  });

  // For a reader without `conflate`, a superseded entry that is gone is a loss, which `trimmed` MUST account for. A log
  // with one number for both kinds of readers hides it, or declares a gap to those that lack nothing.
  scenario("key: a superseded entry that is gone is missing without conflation", { maxEvents: 2 }, async (context) => {
    const { log, eventually } = context;
    await log.append(range(1, 6).map((i) => keyed("state", `k${i}`)));
    await eventually(async () => assert.equal((await log.head()).floor.offset, 4));
    const missing = () => trimmed(log, select("state"), { conflate: false });
    assert.ok((await missing()) >= 4, "entries that a reader without conflation missed are not declared");
    await log.append([entry("noise"), entry("noise"), entry("noise")]);
    await eventually(async () => assert.equal((await log.head()).floor.offset, 7));
    // The newest is kept: of this channel, nothing after 5 is gone.
    assert.ok((await missing()) >= 5);
    assert.deepEqual(dataOf((await read(log, 5, 10, select("state"), { conflate: false })).entries), ["k6"]);
    await log.append([keyed("state", "k7")]);
    assert.ok((await missing()) >= 6, "a kept entry that was superseded is not declared");
  });
}

/** The key is the first word of the data, without its digits. */
function keyed(channel: string, data: string): NewEntry {
  return entry(channel, data, { key: data.includes(" ") ? (data.split(" ")[0] as string) : data.replace(/\d+$/, "") });
}
