import { expect, test } from "vitest";
import { type ChannelSelection, type CompleteLog, completeLog, type NewEntry } from "../../../src/log/index.ts";
import { memoryLog } from "../../../src/logs/memory/index.ts";
import { PlainLog, PlainStore } from "../../../src/testing/index.ts";
import fc from "../../support/properties.ts";

// The memory log keeps indexes so that no question costs more than its answer. The plain log computes every answer from
// all entries. Whatever happens, both say the same.

const names = ["a", "a/1", "a/2", "a/\u{10ffff}1", "ab", "b/1", "b/2", "b/3", "c", "\uffff", "🎉"];
const wide = Array.from({ length: 100 }, (_, i) => `w/${i}`);
const name = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("a", "b/1", "b/2") },
  { weight: 3, arbitrary: fc.constantFrom(...names) },
  fc.constantFrom(...wide),
);
const prefix = fc.constantFrom("", "a", "a/", "b/", "w/", "w/1", "🎉", "\u{10ffff}", "nothing");
const selection: fc.Arbitrary<ChannelSelection> = fc.record({
  channels: fc.array(fc.oneof(name, fc.constant("unknown")), { maxLength: 4 }),
  prefixes: fc.array(prefix, { maxLength: 3 }),
});
const kinds = [
  { type: "t" },
  { type: "t" },
  { type: "sse:end" },
  ...["k", "l", "m"].map((key) => ({ type: "t", key })),
];
const entry: fc.Arbitrary<NewEntry> = fc
  .record({ channel: name, data: fc.constantFrom("", "x", "x".repeat(60)), kind: fc.constantFrom(...kinds) })
  .map(({ kind, ...rest }) => ({ ...rest, ...kind }));
/** So many channels that a page of all of them is read from the log itself. */
const crowd = fc.array(fc.constantFrom(...kinds), { minLength: 100, maxLength: 200 }).map((kinds) => {
  return kinds.map((kind, i) => ({ channel: wide[i % wide.length] as string, data: "", ...kind }));
});
const append = fc.oneof({ weight: 4, arbitrary: fc.array(entry, { minLength: 1, maxLength: 60 }) }, crowd);
const question = fc.record({
  selection: fc.option(selection, { nil: undefined }),
  after: fc.nat({ max: 400 }),
  limit: fc.integer({ min: 1, max: 50 }),
  maxBytes: fc.constantFrom(1, 200, 2_000, 1_000_000),
  conflate: fc.boolean(),
  count: fc.integer({ min: 0, max: 12 }),
  upTo: fc.nat({ max: 500 }),
});

test("whatever is appended and trimmed, the memory log answers as the plain log does", {
  timeout: 30_000,
}, async () => {
  const history = fc.array(fc.oneof({ weight: 1, arbitrary: append }, { weight: 2, arbitrary: question }), {
    minLength: 1,
    maxLength: 20,
  });
  const retention = fc.record({
    maxEvents: fc.constantFrom(1, 3, 30, 1_000),
    maxBytes: fc.constantFrom(500, 1_000_000),
  });
  await fc.assert(
    fc.asyncProperty(retention, history, async (limits, steps) => {
      const logs = [memoryLog(limits), completeLog(new PlainLog(new PlainStore(limits), { poll: false }))] as const;
      for (const step of steps) {
        if (Array.isArray(step)) await Promise.all(logs.map((log) => log.append(step)));
        else {
          const [memory, plain] = await Promise.all(logs.map((log) => answers(log, step)));
          expect(memory).toEqual(plain);
        }
      }
      await Promise.all(logs.map((log) => log.close()));
    }),
    { numRuns: 300 },
  );
});

type Question = typeof question extends fc.Arbitrary<infer T> ? T : never;

/** All answers of a log that do not depend on how it divides them into pages. */
async function answers(log: CompleteLog, { selection, after, limit, maxBytes, conflate, count, upTo }: Question) {
  const { top, floor } = await log.head();
  const options = { limit, maxBytes, selection, conflate };
  const pages = { offsets: [] as number[], conflated: 0, trimmed: 0 };
  for (let position = after; position < top; ) {
    const page = await log.read(position, options);
    expect(page.through).toBeGreaterThan(position);
    expect(page.entries.every(({ offset }) => offset > position && offset <= page.through)).toBe(true);
    expect(page.entries.length).toBeLessThanOrEqual(limit);
    pages.offsets.push(...page.entries.map(({ offset }) => offset));
    pages.conflated += page.conflated;
    pages.trimmed = page.trimmed;
    position = page.through;
  }
  if (selection === undefined) return { top, floor: floor.offset, pages };
  const values: number[] = [];
  for (let position = after; position < upTo; ) {
    const page = await log.latestByKey(selection, { after: position, upTo, maxBytes });
    expect(page.through).toBeGreaterThan(position);
    values.push(...page.entries.map(({ offset }) => offset));
    position = page.through;
  }
  const last = (await log.last(count, selection)).map(({ offset }) => offset);
  const position = { epoch: (await log.head()).epoch, offset: Math.min(after, top), witness: 1 };
  const located = await log.locate([
    { cursor: null, selection },
    { cursor: position, selection },
  ]);
  const found = located.answers.map(({ ends, trimmed, verification }) => {
    return { ends: ends.map(({ offset }) => offset), trimmed, isSame: verification === "same" };
  });
  return { top, floor: floor.offset, pages, values, last, found };
}
