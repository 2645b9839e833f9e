// docs/reference is what the docstrings say today, and they leave nothing open.
import { expect, test } from "vitest";
import { parseDocstring } from "../../scripts/lib/reference/docstring.mjs";
import { reference, writtenReference } from "../../scripts/lib/reference/index.mjs";

const { pages, problems } = reference();

test("the pages are those that npm run generate writes", () => {
  const written = writtenReference();
  expect([...written.keys()]).toEqual([...pages.keys()].sort());
  for (const [name, text] of pages)
    expect(written.get(name), `docs/reference/${name}: run npm run generate`).toBe(text);
});

test("every exported name, method and property has a sentence, every option a default and a unit", () => {
  expect(problems).toEqual([]);
});

test("a docstring is taken apart at its tags, not at those in code", () => {
  const doc = parseDocstring(
    [
      "/**",
      " * Opens `@default` things.",
      " *",
      " * @param after The position: `@see` it.",
      " * @returns The source.",
      " * @throws {SourcecastTypeError} for others.",
      " * @example",
      " * ```ts",
      " * // @default is code here",
      " * ```",
      " */",
    ].join("\n"),
  );
  expect(doc).toEqual({
    text: "Opens `@default` things.",
    default: undefined,
    params: [{ name: "after", text: "The position: `@see` it." }],
    returns: "The source.",
    throws: ["{SourcecastTypeError} for others."],
    examples: ["```ts\n// @default is code here\n```"],
    see: [],
    isInternal: false,
  });
  expect(parseDocstring("/** Most connections. @default no limit */")).toMatchObject({
    text: "Most connections.",
    default: "no limit",
  });
});
