// Tails: every entry once and in order, from a position that is verified.
import assert from "node:assert/strict";
import { at, dataOf, entry, range, read } from "./ask.ts";
import { pause, type TestScenario } from "./scenario.ts";

export function testTail(scenario: TestScenario): void {
  testDelivery(scenario);
  testPositions(scenario);
  testHandlers(scenario);
}

function testDelivery(scenario: TestScenario): void {
  // `tail` MUST deliver each entry once and in order. The moment of the change is where logs fail: between the last
  // page of the past and the first notification, an entry is missed or delivered twice.
  scenario("tail: delivers the entries after a position, then those that come", {}, async ({ log, follow }) => {
    await log.append(range(1, 30).map(() => entry("a")));
    const [all, some, none] = [follow(await at(log, 0)), follow(await at(log, 20)), follow(await at(log, 30))];
    for (const _ of range(1, 10)) await log.append([entry("b"), entry("c")]);
    await Promise.all([all.count(50), some.count(30), none.count(20)]);
    assert.deepEqual(all.offsets, range(1, 50));
    assert.deepEqual(some.offsets, range(21, 50));
    assert.deepEqual(none.offsets, range(31, 50));
  });

  // A notification rarely carries all fields. A tail that makes entries of it, and not of the log, lacks some of them,
  // such as the sender, without which a client receives its own events.
  scenario("tail: has the entries that a reader has, and the epoch", {}, async ({ log, follow }) => {
    const tail = follow(await at(log, 0));
    await log.append([entry("a", "plain"), entry("a", "keyed", { key: "k", sender: "me", type: "t" })]);
    await tail.count(2);
    assert.deepEqual(tail.entries.map(defined), (await read(log, 0, 10)).entries.map(defined));
    const { epoch } = await log.head();
    assert.ok(tail.batches.every((batch) => batch.epoch === epoch));
  });

  // No batch may be delivered before the handler of the previous one has returned. A tail that reads a page while a
  // notification delivers another one mixes up the two.
  scenario("tail: catches up while others append, each entry once and in order", {}, async ({ log, follow }) => {
    const origin = await at(log, 0);
    await log.append(range(1, 2_000).map((i) => entry("a", `${i}`)));
    const tails = [follow(origin)];
    for (const round of range(1, 20)) {
      await Promise.all(range(1, 10).map((i) => log.append(range(1, i).map(() => entry(`c${i}`)))));
      // Later tails begin in the middle of the log while it grows, so pages and live entries meet at different places.
      if (round % 5 === 0) tails.push(follow(await at(log, round * 50)));
    }
    const { top } = await log.head();
    for (const [i, tail] of tails.entries()) {
      const first = i * 250;
      await tail.count(top - first);
      assert.deepEqual(tail.offsets, range(first + 1, top));
      let { witness } = await at(log, first);
      for (const { previousWitness, witness: own, offset } of tail.entries) {
        assert.equal(previousWitness, witness, `${offset} does not follow`);
        witness = own;
      }
    }
  });

  // Entries that a tail is offered can be trimmed before it reads them. A log whose own appends go past its tails,
  // through the store, loses the beginning of a burst that is longer than its retention.
  scenario("tail: a burst longer than the log reaches it whole", { maxEvents: 5 }, async ({ log, follow }) => {
    const tail = follow(await at(log, 0));
    await log.append(range(1, 20).map(() => entry("a")));
    // After one call that is longer than the log, calls that are stored together and exceed it together.
    await Promise.all(range(1, 20).map(() => log.append([entry("a")])));
    await tail.count(40);
    assert.deepEqual(tail.offsets, range(1, 40));
  });
}

function testPositions(scenario: TestScenario): void {
  // Entries that were trimmed before they could be delivered are left out, and the next offset shows it. A tail that
  // asks for exactly the next offset waits for it forever.
  scenario("tail: begins with the oldest entry when its position was trimmed", { maxEvents: 5 }, async (context) => {
    const { log, follow, eventually } = context;
    const origin = await at(log, 0);
    // The newest of a key is still there for readers, and not a part of the sequence any longer.
    await log.append([entry("a", "", { key: "k" }), ...range(2, 20).map(() => entry("a"))]);
    await eventually(async () => assert.equal((await log.head()).floor.offset, 15));
    const tail = follow(origin);
    await log.append([entry("a")]);
    await eventually(async () => assert.equal(tail.offsets.at(-1), 21));
    const first = tail.offsets[0] ?? 0;
    const { floor } = await log.head();
    assert.ok(first > 15 && first <= floor.offset + 1, `It begins with ${first}, and ${floor.offset + 1} is retained`);
    assert.deepEqual(tail.offsets, range(first, 21));
  });

  // In another epoch, `tail` MUST continue with the oldest retained entry, and it MUST report the epoch with each
  // batch: the hub resets its clients by that alone.
  scenario("tail: a position that the log does not hold is not passed off as one that it does", {}, async (context) => {
    const { log, follow, eventually } = context;
    await log.append(range(1, 5).map((i) => entry("a", `${i}`)));
    const [third, head] = [await at(log, 3), await at(log, 5)];
    const other = ({ witness }: { witness: number }) => (witness % 0xffff_ffff) + 1;
    const tails = {
      "the entry at the offset": [follow({ ...third, witness: other(third) }), 3],
      "the newest entry, in whose place it was": [follow({ ...head, witness: other(head) }), 5],
      "the newest entry, which is lower": [follow({ ...head, offset: 9 }), 5],
      "the oldest entry of the present epoch": [follow({ ...third, epoch: "another" }), 1],
    } as const;
    for (const [tail] of Object.values(tails)) await eventually(async () => assert.equal(tail.offsets.at(-1), 5));
    await log.append([entry("a", "6")]);
    for (const [where, [tail, first]] of Object.entries(tails)) {
      await eventually(async () => assert.equal(tail.offsets.at(-1), 6));
      assert.deepEqual(tail.offsets, range(first, 6), `It begins with ${where}`);
      assert.deepEqual(
        dataOf(tail.entries),
        range(first, 6).map((i) => `${i}`),
      );
    }
  });
}

function testHandlers(scenario: TestScenario): void {
  // An observer may publish. A log that delivers within `append` calls the handler while it is still at the previous
  // entry, and a hub then sends the two in the wrong order.
  scenario("tail: a handler that appends is not called within itself", {}, async ({ log, follow }) => {
    const tail = follow(await at(log, 0));
    const appended: Promise<unknown>[] = [];
    let depth = 0;
    tail.onBatch = ({ entries }) => {
      // An append within a handler may be stored at once, in a log in memory: its batch must wait for the handler's
      // return.
      assert.equal(++depth, 1);
      for (const { data } of entries) if (data.length < 5) appended.push(log.append([entry("a", `${data}x`)]));
      depth--;
    };
    await log.append([entry("a", "x")]);
    await tail.count(5);
    await Promise.all(appended);
    assert.deepEqual(dataOf(tail.entries), ["x", "xx", "xxx", "xxxx", "xxxxx"]);
  });

  // `tail` MUST report what a handler throws to `onError`, and continue. A log that delivers to all tails in one loop
  // stops the others, or rejects the append of a publisher that has nothing to do with it.
  scenario("tail: an error that a handler throws is reported, to its own tail alone", {}, async ({ log, follow }) => {
    const origin = await at(log, 0);
    const [failing, fine] = [follow(origin), follow(origin)];
    const failure = new Error("the handler's own");
    failing.onBatch = () => {
      throw failure;
    };
    await log.append([entry("a")]);
    await Promise.all([failing.count(1), fine.count(1)]);
    await log.append([entry("a")]);
    await Promise.all([failing.count(2), fine.count(2)]);
    assert.ok(failing.errors.length > 0 && failing.errors.every((error) => error === failure));
    // Expected here. Errors that are left in the list fail the scenario.
    failing.errors.length = 0;
  });

  // A closed tail MUST be silent, also for a page that is on its way. A hub that has started over at another position
  // would take such a batch for news.
  scenario("tail: delivers nothing once it is closed", {}, async ({ log, follow }) => {
    const origin = await at(log, 0);
    const [closed, closing, open] = [follow(origin), follow(origin), follow(origin)];
    // Twice: a subscription may close its tail for two reasons at once.
    closed.close();
    closed.close();
    // Closed within its handler, which is where a subscription that ends closes its tail.
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
