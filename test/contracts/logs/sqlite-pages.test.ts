import { describe, expect, test, vi } from "vitest";
import type { ChannelSelection, Log, LogEntry, NewEntry, ReadOptions } from "../../../src/log/log.ts";
import { weightOf } from "../../../src/log/retention.ts";
import { selects } from "../../../src/log/selection.ts";
import fc from "../../support/properties.ts";
import { entry, file, open, openLog, selecting } from "../../support/sqlite.ts";

/** Names that a wrong notion of prefixes would confuse. */
const names = [
  "a",
  "a/1",
  "a/2",
  "a/\u{10ffff}1",
  "a/\u{10ffff}\u{10ffff}",
  "a0",
  "b",
  "🎉",
  "🎉/1",
  "\u{10ffff}",
  "\ue000",
];
const prefixes = ["", "a", "a/", "a/\u{10ffff}", "🎉", "\ud83c", "a/\udbff", "\u{10ffff}", "\ud7ff", "\ue000", "none"];

const newEntry: fc.Arbitrary<NewEntry> = fc.record({
  // Most in a few channels, where entries supersede each other.
  channel: fc.oneof(fc.constantFrom("a", "a/1"), fc.constantFrom(...names)),
  type: fc.constantFrom("message", "sse:end"),
  data: fc.string({ maxLength: 40 }),
  key: fc.option(fc.constantFrom("x", "y", "z"), { nil: undefined }),
});
const selection: fc.Arbitrary<ChannelSelection> = fc.record({
  channels: fc.subarray(["a", "a/1", ...names.slice(2), "unknown"], { maxLength: 4 }),
  prefixes: fc.subarray(prefixes, { maxLength: 3 }),
});
const bounds = fc.record({
  after: fc.nat(60),
  limit: fc.integer({ min: 1, max: 20 }),
  maxBytes: fc.oneof(fc.integer({ min: 1, max: 400 }), fc.constant(10_000)),
  conflate: fc.boolean(),
});

/** All pages from a position on, each checked against its bounds. */
async function pages(log: Log, after: number, options: ReadOptions) {
  const { top } = await log.head();
  const entries: LogEntry[] = [];
  let conflated = 0;
  for (let position = after; position < top; ) {
    const page = await log.read(position, options);
    expect(page.entries.length).toBeLessThanOrEqual(options.limit);
    const bytes = page.entries.reduce((sum, each) => sum + weightOf(each), 0);
    expect(page.entries.length === 1 || bytes <= options.maxBytes).toBe(true);
    expect(page.through).toBeGreaterThan(position);
    entries.push(...page.entries);
    conflated += page.conflated;
    position = page.through;
  }
  return { entries, conflated };
}

test("pages have what the rule says, whatever the selection and the bounds", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(newEntry, { minLength: 1, maxLength: 60, size: "max" }),
      selection,
      bounds,
      async (added, chosen, bound) => {
        const { after, ...options } = bound;
        const log = openLog({ path: ":memory:" });
        await log.append(added);
        const isSuperseded = ({ channel, key }: NewEntry, index: number) =>
          key !== undefined && added.some((later, i) => i > index && later.channel === channel && later.key === key);
        const selected = added.flatMap((each, index) => {
          const offset = index + 1;
          return offset > after && selects(chosen, each.channel)
            ? [{ offset, superseded: isSuperseded(each, index) }]
            : [];
        });
        const shown = selected.filter(({ superseded }) => !(options.conflate && superseded));
        const found = await pages(log, after, { ...options, selection: chosen });
        expect(found.entries.map(({ offset }) => offset)).toEqual(shown.map(({ offset }) => offset));
        expect(found.conflated).toBe(selected.length - shown.length);

        const visible = added.flatMap((each, index) =>
          selects(chosen, each.channel) && !isSuperseded(each, index) ? [{ ...each, offset: index + 1 }] : [],
        );
        const last = await log.last(options.limit, chosen);
        expect(last.map(({ offset }) => offset)).toEqual(visible.slice(-options.limit).map(({ offset }) => offset));
        const values: number[] = [];
        for (let at = after; at < added.length; ) {
          const page = await log.latestByKey(chosen, { after: at, upTo: added.length, maxBytes: options.maxBytes });
          values.push(...page.entries.map(({ offset }) => offset));
          expect(page.through).toBeGreaterThan(at);
          at = page.through;
        }
        const keyed = visible.filter(({ key }) => key !== undefined).map(({ offset }) => offset);
        expect(values).toEqual(keyed.filter((offset) => offset > after));
        const { answers } = await log.locate([{ cursor: null, selection: chosen }]);
        const ends = chosen.channels.flatMap((name) => added.findLastIndex(({ channel }) => channel === name) + 1);
        expect(answers[0]?.ends.map(({ offset }) => offset)).toEqual(
          ends.filter((offset) => added[offset - 1]?.type === "sse:end").sort((a, b) => a - b),
        );
        // A prefix that ends within a character may be answered for its neighbors too.
        expect(answers[0]?.hasValues || keyed.length === 0).toBe(true);
        if (!chosen.prefixes.some((prefix) => /[\ud800-\udbff]$/.test(prefix))) {
          expect(answers[0]?.hasValues).toBe(keyed.length > 0);
        }
        await log.close();
      },
    ),
    { numRuns: 300 },
  );
});

test("a prefix has all its names after retention too", async () => {
  const log = openLog({ path: file(), maxEvents: 1 });
  await log.append([entry("orders/\u{10ffff}1"), entry("other"), entry("last")]);
  const orders = { channels: [], prefixes: ["orders/"] };
  await vi.waitFor(async () => expect((await log.head()).floor.offset).toBe(2));
  const { trimmed } = await log.read(0, { limit: 1, maxBytes: 1, selection: orders, conflate: true });
  const { answers } = await log.locate([{ cursor: null, selection: orders }]);
  expect([trimmed, answers[0]?.trimmed]).toEqual([1, 1]);
});

describe("the cost of a page", () => {
  /** The rows that statements of a log return while it works. */
  async function rowsOf(log: Log, rows: { count: number }, work: () => Promise<unknown>): Promise<number> {
    await log.head();
    rows.count = 0;
    await work();
    return rows.count;
  }

  /** A log on a database that counts the rows that it returns, with an event in each of `channels` channels, in turns. */
  async function counted(path = file()) {
    const rows = { count: 0 };
    const inner = open(path);
    const log = openLog({
      database: {
        exec: (sql) => inner.exec(sql),
        close: () => inner.close(),
        prepare(sql) {
          const statement = inner.prepare(sql);
          return {
            run: (...values) => statement.run(...values),
            get: (...values) => {
              rows.count++;
              return statement.get(...values);
            },
            all: (...values) => {
              const found = statement.all(...values);
              rows.count += found.length;
              return found;
            },
          };
        },
      },
    });
    return { log, rows, inner };
  }

  const page = { limit: 256, maxBytes: 2 ** 20, conflate: true };

  test("bytes bound it: what is returned is what is read", async () => {
    const { log } = await counted();
    for (let i = 0; i < 40; i++) await log.append([entry("big", "x".repeat(100_000))]);
    const { entries, through } = await log.read(0, { ...page, selection: selecting("big") });
    expect([entries.length, through]).toEqual([10, 10]);
  });

  test("superseded entries cost nothing, however many there are", async () => {
    const { log, rows } = await counted();
    for (let i = 0; i < 20; i++) {
      await log.append(Array.from({ length: 1_000 }, () => entry("state", "", { key: "k" })));
    }
    await log.append([entry("state", "end")]);
    const cost = await rowsOf(log, rows, async () => {
      const { entries, conflated } = await log.read(0, { ...page, selection: selecting("state") });
      expect([entries.length, conflated]).toEqual([2, 19_999]);
    });
    expect(cost).toBeLessThan(20);
  });

  test("a prefix of many channels costs about what the page has", async () => {
    const { log, rows } = await counted();
    for (let i = 0; i < 20; i++) {
      await log.append(Array.from({ length: 1_000 }, (_, n) => entry(`u/${(i * 1_000 + n) % 2_500}`)));
    }
    const cost = await rowsOf(log, rows, async () => {
      const { entries } = await log.read(0, { ...page, selection: { channels: [], prefixes: ["u/"] } });
      expect(entries).toHaveLength(256);
    });
    expect(cost).toBeLessThan(2_000);
  });

  test("a page of values costs about what it has", async () => {
    const { log, rows } = await counted();
    for (let i = 0; i < 10; i++) {
      const value = (n: number) =>
        entry(n % 2 === 0 ? "one" : `each/${i * 1_000 + n}`, "x".repeat(100), { key: `${i} ${n}` });
      await log.append(Array.from({ length: 1_000 }, (_, n) => value(n)));
    }
    for (const selected of [selecting("one"), { channels: [], prefixes: ["each/"] }]) {
      const cost = await rowsOf(log, rows, async () => {
        const { entries, through } = await log.latestByKey(selected, { after: 0, upTo: 10_000, maxBytes: 14_000 });
        expect(entries.length).toBeGreaterThan(80);
        expect(through - (entries.at(-1)?.offset ?? 0)).toBeLessThan(2);
      });
      expect(cost).toBeLessThan(2_500);
    }
  });

  test("ten thousand questions of a storm are lookups", async () => {
    const { log, rows } = await counted();
    for (let i = 0; i < 10; i++) {
      await log.append(Array.from({ length: 1_000 }, (_, n) => entry(`user/${i * 1_000 + n}`, "", { key: "k" })));
    }
    const { epoch } = await log.head();
    const witnesses = await log.witnesses(Array.from({ length: 10_000 }, (_, i) => i + 1));
    const questions = witnesses.map((witness, i) => ({
      cursor: { epoch, offset: i + 1, witness: witness ?? 0 },
      selection: { channels: [`user/${i}`], prefixes: ["user/"] },
    }));
    const cost = await rowsOf(log, rows, async () => {
      const { answers } = await log.locate(questions);
      expect(answers.every(({ verification, hasValues }) => verification === "same" && hasValues)).toBe(true);
    });
    expect(cost).toBeLessThan(2.1 * questions.length);
  });
});
