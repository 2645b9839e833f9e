import assert from "node:assert/strict";
import { at, dataOf, entry, range, read } from "./ask.ts";
import { pause, type TestScenario } from "./scenario.ts";

/** Following the log. */
export function testTail(scenario: TestScenario): void {
  scenario("tail: hands over what is there behind a position, then what comes", {}, async ({ log, follow }) => {
    await log.append(range(1, 30).map(() => entry("a")));
    const [all, some, none] = [follow(await at(log, 0)), follow(await at(log, 20)), follow(await at(log, 30))];
    for (const _ of range(1, 10)) await log.append([entry("b"), entry("c")]);
    await Promise.all([all.count(50), some.count(30), none.count(20)]);
    assert.deepEqual(all.offsets, range(1, 50));
    assert.deepEqual(some.offsets, range(21, 50));
    assert.deepEqual(none.offsets, range(31, 50));
  });

  scenario("tail: has the entries that a reader has, and the epoch", {}, async ({ log, follow }) => {
    const follower = follow(await at(log, 0));
    await log.append([entry("a", "plain"), entry("a", "keyed", { key: "k", sender: "me", type: "t" })]);
    await follower.count(2);
    assert.deepEqual(follower.entries.map(defined), (await read(log, 0, 10)).entries.map(defined));
    const { epoch } = await log.head();
    assert.ok(follower.batches.every((batch) => batch.epoch === epoch));
  });

  scenario("tail: catches up while others append, each entry once and in order", {}, async ({ log, follow }) => {
    await log.append(range(1, 2_000).map((i) => entry("a", `${i}`)));
    const followers = [follow(await at(log, 0))];
    for (const round of range(1, 20)) {
      await Promise.all(range(1, 10).map((i) => log.append(range(1, i).map(() => entry(`c${i}`)))));
      if (round % 5 === 0) followers.push(follow(await at(log, round * 50)));
    }
    const { top } = await log.head();
    for (const [i, follower] of followers.entries()) {
      const first = i * 250;
      await follower.count(top - first);
      assert.deepEqual(follower.offsets, range(first + 1, top));
    }
  });

  scenario("tail: a burst longer than the log reaches it whole", { maxEvents: 5 }, async ({ log, follow }) => {
    const follower = follow(await at(log, 0));
    await log.append(range(1, 20).map(() => entry("a")));
    await Promise.all(range(1, 20).map(() => log.append([entry("a")])));
    await follower.count(40);
    assert.deepEqual(follower.offsets, range(1, 40));
  });

  scenario("tail: begins with what is left when its position was trimmed", { maxEvents: 5 }, async (context) => {
    const { log, follow, eventually } = context;
    // The newest of a key is still there for readers, and no part of the sequence any more.
    const origin = await at(log, 0);
    await log.append([entry("a", "", { key: "k" }), ...range(2, 20).map(() => entry("a"))]);
    await eventually(async () => assert.equal((await log.head()).floor.offset, 15));
    const follower = follow(origin);
    await log.append([entry("a")]);
    await eventually(async () => assert.equal(follower.offsets.at(-1), 21));
    assert.ok((follower.offsets[0] ?? 0) > 15);
    assert.deepEqual(follower.offsets, range(follower.offsets[0] ?? 0, 21));
  });

  scenario("tail: a handler that appends is not called within itself", {}, async ({ log, follow }) => {
    const follower = follow(await at(log, 0));
    const appended: Promise<unknown>[] = [];
    let depth = 0;
    follower.onBatch = ({ entries }) => {
      assert.equal(++depth, 1);
      for (const { data } of entries) if (data.length < 5) appended.push(log.append([entry("a", `${data}x`)]));
      depth--;
    };
    await log.append([entry("a", "x")]);
    await follower.count(5);
    await Promise.all(appended);
    assert.deepEqual(dataOf(follower.entries), ["x", "xx", "xxx", "xxxx", "xxxxx"]);
  });

  scenario("tail: what a handler throws is reported, to its own tail alone", {}, async ({ log, follow }) => {
    const [failing, fine] = [follow(await at(log, 0)), follow(await at(log, 0))];
    const failure = new Error("the handler's own");
    failing.onBatch = () => {
      throw failure;
    };
    await log.append([entry("a")]);
    await Promise.all([failing.count(1), fine.count(1)]);
    await log.append([entry("a")]);
    await Promise.all([failing.count(2), fine.count(2)]);
    assert.ok(failing.errors.length > 0 && failing.errors.every((error) => error === failure));
    failing.errors.length = 0;
  });

  scenario("tail: is silent once it is closed", {}, async ({ log, follow }) => {
    const [closed, closing, open] = [follow(await at(log, 0)), follow(await at(log, 0)), follow(await at(log, 0))];
    closed.close();
    closed.close();
    closing.onBatch = () => closing.close();
    await log.append([entry("a")]);
    await open.count(1);
    await log.append([entry("a")]);
    await open.count(2);
    await pause(20);
    assert.deepEqual([closed.offsets, closing.offsets], [[], [1]]);
  });
}

/** Without the properties that are there and undefined. */
function defined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}
