import assert from "node:assert/strict";
import type { ChannelSelection, Log, LogEntry } from "../../log/log.ts";
import { dataOf, entry, offsetsOf, range, read, select } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

/** Pages, selections, the last few. */
export function testRead(scenario: TestScenario): void {
  scenario("read: pages follow each other without hole or repetition", {}, async ({ log }) => {
    await log.append(range(1, 25).map((i) => entry(i % 3 === 0 ? "a" : "b", `${i}`)));
    for (const limit of [1, 2, 7, 25, 100]) {
      assert.deepEqual(offsetsOf(await readOn(log, 0, limit)), range(1, 25), `pages of ${limit}`);
      const threes = range(1, 8).map((i) => i * 3);
      assert.deepEqual(offsetsOf(await readOn(log, 0, limit, select("a"))), threes, `pages of ${limit}`);
    }
  });

  scenario("read: through is where to read on", {}, async ({ log }) => {
    await log.append([entry("a"), entry("b"), entry("a"), entry("b")]);
    const { epoch } = await log.head();
    const page = await read(log, 0, 1, select("a"));
    assert.deepEqual([page.epoch, offsetsOf(page.entries), page.trimmed], [epoch, [1], 0]);
    assert.ok(page.through === 1 || page.through === 2, `through is ${page.through}`);
    assert.equal((await read(log, 1, 10, select("a"))).through, 4);
    assert.equal((await read(log, 0, 10, select("unknown"))).through, 4);
    assert.deepEqual((await read(log, 4, 10)).entries, []);
    const beyond = await read(log, 9, 10);
    assert.deepEqual([beyond.entries, beyond.through], [[], 9]);
  });

  scenario("read: what was appended is read at once", {}, async ({ log }) => {
    for (const i of range(1, 20)) {
      await log.append([entry("a", `${i}`)]);
      assert.deepEqual(dataOf((await read(log, i - 1, 10, select("a"))).entries), [`${i}`]);
    }
  });

  scenario("selection: channels by name, prefixes, and both without repetition", {}, async ({ log }) => {
    const names = ["orders", "orders/1", "orders/2", "orders/10", "order", "Orders/1", "users/1"];
    await log.append(names.map((name) => entry(name, name)));
    const dataIn = async (...selected: string[]) => dataOf((await read(log, 0, 100, select(...selected))).entries);
    assert.deepEqual(await dataIn("orders/1"), ["orders/1"]);
    assert.deepEqual(await dataIn("users/1", "order"), ["order", "users/1"]);
    assert.deepEqual(await dataIn("order", "order"), ["order"]);
    assert.deepEqual(await dataIn("orders/*"), ["orders/1", "orders/2", "orders/10"]);
    assert.deepEqual(await dataIn("orders/*", "orders/1*", "orders/10", "users/1"), [
      "orders/1",
      "orders/2",
      "orders/10",
      "users/1",
    ]);
    assert.deepEqual(await dataIn("*"), names);
    assert.deepEqual(await dataIn("nothing", "nothing/*"), []);
    assert.deepEqual((await read(log, 0, 10, { channels: [], prefixes: [] })).entries, []);
  });

  scenario("selection: a name is no pattern", {}, async ({ log }) => {
    const names = ["a%b", "a_b", "a*b", "a?b", "a[b", "a'b", 'a"b', "a\\b", "a.b", "axb", "ä", "🎉", "🎉/1"];
    await log.append(names.map((name) => entry(name, name)));
    for (const name of names) assert.deepEqual(dataOf((await read(log, 0, 100, select(name))).entries), [name]);
    for (const prefix of ["a%", "a_", "a*", "a?", "a[", "a'", 'a"', "a\\", "a.", "ä"]) {
      const { entries } = await read(log, 0, 100, { channels: [], prefixes: [prefix] });
      const expected = names.filter((name) => name.startsWith(prefix));
      assert.deepEqual(dataOf(entries), expected, `prefix ${prefix}`);
    }
    assert.deepEqual(dataOf((await read(log, 0, 100, select("🎉*"))).entries), ["🎉", "🎉/1"]);
  });

  scenario("selection: of many channels is read in the order of the log", {}, async ({ log }) => {
    const names = range(0, 39).map((i) => `c${i}`);
    await log.append(range(1, 400).map((i) => entry(`c${(i * 7) % 40}`, `${i}`)));
    assert.deepEqual(offsetsOf(await readOn(log, 0, 33, select(...names))), range(1, 400));
    assert.deepEqual(offsetsOf(await readOn(log, 0, 33, select("c*"))), range(1, 400));
  });

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

/** Reads page after page to the head. */
export async function readOn(
  log: Log,
  after: number,
  limit: number,
  selection?: ChannelSelection,
): Promise<LogEntry[]> {
  const found: LogEntry[] = [];
  const { top } = await log.head();
  for (let position = after; position < top; ) {
    const { entries, through } = await read(log, position, limit, selection);
    assert.ok(entries.length <= limit, `${entries.length} entries in a page of ${limit}`);
    assert.ok(through > position, `through stays at ${through}`);
    assert.ok(
      entries.every(({ offset }) => offset <= through),
      "entries behind through",
    );
    found.push(...entries);
    position = through;
  }
  return found;
}
