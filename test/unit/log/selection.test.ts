import { describe, expect, test } from "vitest";
import { compileSelection, endOfPrefix, hasPrefix, selects } from "../../../src/log/index.ts";
import fc from "../../support/properties.ts";

/** Names and prefixes that meet often, with what is special in UTF-16 and in UTF-8. */
const piece = fc.constantFrom("a", "b", "/", "é", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}", "🎉", "1");
const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(""));
const bytesOf = (value: string) => Buffer.from(value, "utf8");

describe("endOfPrefix", () => {
  test("in code point order exactly the names with the prefix are in the range", () => {
    fc.assert(
      fc.property(text, text, (prefix, name) => {
        const end = endOfPrefix(prefix);
        const isAfterStart = Buffer.compare(bytesOf(name), bytesOf(prefix)) >= 0;
        const isBeforeEnd = end === null || Buffer.compare(bytesOf(name), bytesOf(end)) < 0;
        expect(isAfterStart && isBeforeEnd).toBe(name.startsWith(prefix));
        expect(hasPrefix(name, prefix)).toBe(name.startsWith(prefix));
      }),
      { numRuns: 5_000 },
    );
  });

  test.each([
    ["orders/", "orders0"],
    ["orders/\u{10ffff}", "orders0"],
    ["\ud7ff", "\ue000"],
    ["\uffff", "\u{10000}"],
    ["", null],
    ["\u{10ffff}\u{10ffff}", null],
  ])("of %j is %j", (prefix, end) => {
    expect(endOfPrefix(prefix)).toBe(end);
  });

  test("the last code point there is may stand in a name", () => {
    const name = "orders/\u{10ffff}1";
    expect(Buffer.compare(bytesOf(name), bytesOf(endOfPrefix("orders/") as string))).toBeLessThan(0);
  });
});

test("a compiled selection has what the selection has, whatever its form", () => {
  const selection = fc.record({
    channels: fc.array(text, { maxLength: 4 }),
    prefixes: fc.array(text, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(selection, fc.array(text, { minLength: 1, maxLength: 8 }), (selected, names) => {
      const matches = compileSelection(selected);
      for (const name of [...names, ...selected.channels, ...selected.prefixes]) {
        const expected =
          selected.channels.includes(name) || selected.prefixes.some((prefix) => name.startsWith(prefix));
        expect([matches(name), selects(selected, name)]).toEqual([expected, expected]);
      }
    }),
    { numRuns: 2_000 },
  );
  expect([compileSelection()("any"), selects(undefined, "any")]).toEqual([true, true]);
});

test("a matcher costs the same for many names and prefixes as for a few", () => {
  const matcher = (count: number) =>
    compileSelection({
      channels: Array.from({ length: count }, (_, i) => `c${i}`),
      prefixes: Array.from({ length: count }, (_, i) => `p${String(i).padStart(5, "0")}/`),
    });
  const [few, many] = [matcher(10), matcher(10_000)];
  const time = (matches: (name: string) => boolean) => {
    let [shortest, found] = [Number.POSITIVE_INFINITY, 0];
    for (let round = 0; round < 20; round++) {
      const start = performance.now();
      for (let i = 0; i < 2_000; i++) if (matches(`p${String(i).padStart(5, "0")}/x`)) found++;
      shortest = Math.min(shortest, performance.now() - start);
    }
    expect(found).toBeGreaterThan(0);
    return shortest;
  };
  // A linear scan would take a thousand times as long.
  expect(time(many)).toBeLessThan(time(few) * 30);
});
