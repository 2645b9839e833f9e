// The questions of connecting clients: whether their positions hold, which channels have ended, and what was trimmed.
import assert from "node:assert/strict";
import type { CompleteLog } from "../../log/complete.ts";
import type { ChannelSelection, LocateAnswer, Position } from "../../log/log.ts";
import { at, entry, offsetsOf, range, select, trimmed } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

export function testLocate(scenario: TestScenario): void {
  // `locate` MUST confirm a position only by its witness. The head and the origin are the ones that logs get wrong: the
  // witness of neither is found by a look at the entry at that offset.
  scenario("locate: tells positions of this log from others", {}, async ({ log }) => {
    // Before the first entry, too: a client may have connected to an empty log.
    const [origin] = [await at(log, 0)];
    assert.equal(await verification(log, origin), "same");
    await log.append(range(1, 5).map((i) => entry(`c${i % 2}`, "", i === 2 || i === 4 ? { key: "k" } : {})));
    for (const offset of range(0, 5)) {
      const position = await at(log, offset);
      assert.equal(await verification(log, position), "same", `at ${offset}`);
      assert.equal(await verification(log, { ...position, epoch: "another" }), "other");
      const wrong = { ...position, witness: (position.witness % 0xffff_ffff) + 1 };
      assert.equal(await verification(log, wrong), "other", `another witness at ${offset}`);
    }
    const head = await at(log, 5);
    for (const offset of [6, 1_000_000]) assert.equal(await verification(log, { ...head, offset }), "other");
    // A client without a position has nothing to refute.
    assert.equal(await verification(log, null), "same");
  });

  // Where the log cannot say, `locate` MUST answer `unknown`, which becomes a declared gap. A log that answers `same`
  // hides a loss, and one that answers `other` resets a client that has missed nothing.
  scenario(
    "locate: a position whose entry is gone is never mistaken for another, or another for it",
    { maxEvents: 3 },
    async (context) => {
      const { log, eventually } = context;
      const placed = await log.append(range(1, 12).map(() => entry("a")));
      await eventually(async () => assert.equal((await log.head()).floor.offset, 9));
      for (const position of placed) {
        const { offset, witness } = position;
        const own = await verification(log, position);
        const other = await verification(log, { ...position, witness: (witness % 0xffff_ffff) + 1 });
        // The floor is at 9, and its witness is known from the entry after it. Below, `unknown` is allowed, a wrong
        // answer is not.
        const isKnown = offset >= 9;
        assert.ok(own === "same" || (own === "unknown" && !isKnown), `${own} at ${offset}`);
        assert.ok(other === "other" || (other === "unknown" && !isKnown), `${other} for another witness at ${offset}`);
      }
    },
  );

  // `ends` MUST have the end of each named channel whose newest entry is one. A channel can continue after its end: a log
  // that looks for any end, and not for the newest entry, closes streams that have more to come.
  scenario("locate: ends are those of channels whose newest entry is one", {}, async ({ log }) => {
    const end = (channel: string) => entry(channel, "", { type: "sse:end" });
    await log.append([entry("open"), entry("ended"), entry("reopened"), end("ended"), end("reopened")]);
    await log.append([end("early"), entry("reopened"), entry("p/1"), end("p/1")]);
    const endsOf = async (...names: string[]) => {
      const { ends } = await answerTo(log, select(...names));
      return ends.map(({ channel, offset, type }) => [channel, offset, type]);
    };
    const early = ["early", 6, "sse:end"];
    const ended = ["ended", 4, "sse:end"];
    // Named twice, returned once. In the order of the log, not of the names.
    assert.deepEqual(await endsOf("early", "open", "ended", "reopened", "unknown", "ended"), [ended, early]);
    assert.deepEqual(await endsOf("open"), []);
    // Of a prefix it is not known which channels there will be.
    assert.deepEqual(await endsOf("p/*"), []);
    // Published again after its end, so the channel is open again.
    await log.append([entry("ended")]);
    assert.deepEqual(await endsOf("early", "ended"), [early]);
  });

  // `locate` and `read` MUST agree about `trimmed`: a client that is told to replay, and then told of a gap, is
  // declared the loss twice. `hasValues` may be true where there are none, but never false where there are some.
  scenario("locate: trimmed is that of a page, and values are found", { maxEvents: 4 }, async ({ log, eventually }) => {
    await log.append([entry("state", "", { key: "k" }), entry("a"), ...range(1, 10).map(() => entry("noise"))]);
    await eventually(async () => assert.equal((await log.head()).floor.offset, 8));
    for (const selection of [select("state"), select("a"), select("noise"), select("*"), select("st*", "a")]) {
      const answer = await answerTo(log, selection);
      assert.equal(answer.trimmed, await trimmed(log, selection));
    }
    for (const selection of [select("state"), select("*"), select("a", "st*")]) {
      assert.equal((await answerTo(log, selection)).hasValues, true);
    }
  });

  // The answers MUST be in the order of the questions, and of one state with the head. After a restart of a hub, all of
  // its clients ask in one call: a log that asks its store for one after the other multiplies the round trips.
  scenario("locate: answers several questions at once, each with its own answer", {}, async ({ log }) => {
    // Without a question it still answers with the head.
    assert.deepEqual((await log.locate([])).answers, []);
    await log.append([entry("a"), entry("b", "", { type: "sse:end" }), entry("c", "", { key: "k" })]);
    const [first, head] = [await at(log, 1), await at(log, 3)];
    const questions = [
      { cursor: first, selection: select("a") },
      { cursor: { ...first, witness: head.witness }, selection: select("b") },
      { cursor: null, selection: select("c", "b") },
      // Equal questions, which a log may look up once.
      ...range(1, 20).map(() => ({ cursor: head, selection: select("*") })),
    ];
    const located = await log.locate(questions);
    assert.deepEqual(located.head, await log.head());
    const [one, two, three, ...rest] = located.answers;
    assert.deepEqual([one?.verification, two?.verification, three?.verification], ["same", "other", "same"]);
    assert.deepEqual([one?.ends, offsetsOf(two?.ends ?? []), offsetsOf(three?.ends ?? [])], [[], [2], [2]]);
    assert.equal(three?.hasValues, true);
    assert.equal(rest.length, 20);
    for (const { verification: each } of rest) assert.equal(each, "same");
  });
}

/** Whether the log confirms a position. The selection does not matter to that. */
export async function verification(log: CompleteLog, cursor: Position | null): Promise<LocateAnswer["verification"]> {
  return (await answerTo(log, select("a"), cursor)).verification;
}

async function answerTo(
  log: CompleteLog,
  selection: ChannelSelection,
  cursor: Position | null = null,
): Promise<LocateAnswer> {
  const [answer] = (await log.locate([{ cursor, selection }])).answers;
  assert.ok(answer !== undefined, "no answer");
  return answer;
}
