// Selections by name and by prefix: the same definition of "has the prefix" everywhere.
import assert from "node:assert/strict";
import { hasPrefix } from "../../log/selection.ts";
import { at, dataOf, entry, hasCode, offsetsOf, range, read, readOn, select, values } from "./ask.ts";
import type { TestScenario } from "./scenario.ts";

export function testPrefixes(scenario: TestScenario): void {
  // A selection MUST return each entry once, in order, however many of its names and prefixes cover a channel. A log
  // that reads them one after the other, and joins the results, repeats entries.
  scenario("selection: channels by name, prefixes, and both without repetition", {}, async ({ log }) => {
    const names = ["orders", "orders/1", "orders/2", "orders/10", "order", "Orders/1", "users/1"];
    await log.append(names.map((name) => entry(name, name)));
    const dataIn = async (...selected: string[]) => dataOf((await read(log, 0, 100, select(...selected))).entries);
    assert.deepEqual(await dataIn("orders/1"), ["orders/1"]);
    assert.deepEqual(await dataIn("users/1", "order"), ["order", "users/1"]);
    assert.deepEqual(await dataIn("order", "order"), ["order"]);
    assert.deepEqual(await dataIn("orders/*"), ["orders/1", "orders/2", "orders/10"]);
    // Three of these cover orders/10, and two cover orders/1.
    const overlapping = ["orders/*", "orders/1*", "orders/10", "users/1"];
    assert.deepEqual(await dataIn(...overlapping), ["orders/1", "orders/2", "orders/10", "users/1"]);
    assert.deepEqual(await dataIn("*"), names);
    assert.deepEqual(await dataIn("nothing", "nothing/*"), []);
    // Nothing is selected: a query that is built from no conditions would return everything.
    assert.deepEqual((await read(log, 0, 10, { channels: [], prefixes: [] })).entries, []);
  });

  // Names are data. A log that builds a pattern of its store out of them, as for LIKE or a subject with wildcards,
  // selects other channels for names that have its special characters.
  scenario("selection: a name is not a pattern", {}, async ({ log }) => {
    // Characters with a meaning in LIKE, GLOB, regular expressions, quoted strings or subjects of a broker.
    const names = ["a%b", "a_b", "a*b", "a?b", "a[b", "a'b", 'a"b', "a\\b", "a.b", "axb", "ä", "🎉", "🎉/1"];
    await log.append(names.map((name) => entry(name, name)));
    for (const name of names) assert.deepEqual(dataOf((await read(log, 0, 100, select(name))).entries), [name]);
    for (const prefix of ["a%", "a_", "a*", "a?", "a[", "a'", 'a"', "a\\", "a.", "ä"]) {
      const { entries } = await read(log, 0, 100, { channels: [], prefixes: [prefix] });
      assert.deepEqual(
        dataOf(entries),
        names.filter((name) => name.startsWith(prefix)),
        `prefix ${prefix}`,
      );
    }
    // A character of two UTF-16 code units, or four bytes: an upper bound for its range is easily wrong.
    assert.deepEqual(dataOf((await read(log, 0, 100, select("🎉*"))).entries), ["🎉", "🎉/1"]);
  });

  // Hubs keep records on channels whose names no application can use, because they begin with a control character. A log that
  // escapes such characters has to do so in every question.
  scenario("selection: a name with control characters is like any other", {}, async ({ log }) => {
    const names = ["\u0001records", "\u0001records/1", "\u0001", "\u0002records", "\u0001\u0001a", "\u0001a", "a"];
    await log.append(names.map((name) => entry(name, name, { key: "k", idempotencyKey: "i" })));
    for (const [index, name] of names.entries()) {
      const selection = { channels: [name], prefixes: [] };
      // Each method has a query of its own, any of which may lack the escape.
      const found = [
        (await read(log, 0, 100, selection)).entries,
        await log.last(9, selection),
        await values(log, selection),
      ];
      for (const entries of found)
        assert.deepEqual([entries.map(({ channel }) => channel), dataOf(entries)], [[name], [name]]);
      const { answers } = await log.locate([{ cursor: null, selection }]);
      assert.equal(answers[0]?.hasValues, true);
      const [again] = await log.append([entry(name, "again", { idempotencyKey: "i" })]);
      assert.deepEqual([again?.offset, again?.duplicate], [index + 1, true]);
      await assert.rejects(
        log.append([entry(name, "late", { after: await at(log, index) })]),
        hasCode("ERR_SSE_CONFLICT"),
      );
      const prefixed = await read(log, 0, 100, { channels: [], prefixes: [name] });
      assert.deepEqual(
        dataOf(prefixed.entries),
        names.filter((each) => each.startsWith(name)),
      );
    }
  });

  // Most stores bound the number of parameters of a query, or are slow with many. A log that splits such a selection
  // has to merge the parts before it cuts the page.
  scenario("selection: of many channels is read in the order of the log", {}, async ({ log }) => {
    const names = range(0, 39).map((i) => `c${i}`);
    await log.append(range(1, 400).map((i) => entry(`c${(i * 7) % 40}`, `${i}`)));
    // 33 does not divide 400, so pages end anywhere within the parts that are merged.
    assert.deepEqual(offsetsOf(await readOn(log, 0, 33, select(...names))), range(1, 400));
    assert.deepEqual(offsetsOf(await readOn(log, 0, 33, select("c*"))), range(1, 400));
  });

  // All methods MUST have one definition of "begins with": the characters as they are. An upper bound for a range of
  // names is wrong for some last character, and collations fold case, accents, or ignore characters.
  scenario(
    "prefix: whatever the names are, every question selects those that begin with it",
    {},
    async ({ log, follow }) => {
      // UTF-8 and UTF-16 order differ above U+D7FF: a range in one order misses names that begin with the prefix in the
      // other.
      const pieces = ["a", "b/", "z", "~", "é", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}", "🎉", "1"];
      // A fixed seed: every log gets the same names, and a failure can be repeated.
      const random = numbers(1_234_567);
      const pick = () => pieces[random() % pieces.length] as string;
      const name = () =>
        range(1, 1 + (random() % 4))
          .map(pick)
          .join("");
      const names = [...new Set(["orders/\u{10ffff}1", "orders/", ...range(1, 120).map(name)])];
      const tail = follow({ ...(await log.head()), offset: 0 });
      await log.append(names.map((channel) => entry(channel, channel, { key: "k" })));
      await tail.count(names.length);
      const prefixes = new Set([
        "",
        "orders/",
        "\u{10ffff}",
        ...pieces,
        ...range(1, 60).map(name),
        ...names.slice(0, 40),
      ]);
      for (const prefix of prefixes) {
        const selection = { channels: [], prefixes: [prefix] };
        // The tail has the order of the log, and `hasPrefix` is the definition.
        const expected = tail.entries.filter(({ channel }) => hasPrefix(channel, prefix)).map(({ channel }) => channel);
        assert.deepEqual(dataOf(await readOn(log, 0, 50, selection)), expected, `read of ${JSON.stringify(prefix)}`);
        assert.deepEqual(dataOf(await log.last(1_000, selection)), expected, `last of ${JSON.stringify(prefix)}`);
        assert.deepEqual(dataOf([...(await values(log, selection))]), expected, `values of ${JSON.stringify(prefix)}`);
      }
    },
  );
}

/** Numbers that look random and are the same in each run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}
