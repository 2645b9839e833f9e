// The rules of English (scripts/lib/english.mjs) hold in all prose, each of them finds its samples, and prose is found
// in every kind of file.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { englishViolations, findingsIn, rules } from "../../scripts/lib/english.mjs";
import { passagesOfCode, passagesOfMarkdown, proseFiles } from "../../scripts/lib/prose.mjs";
import { root } from "../support/package.ts";

const samples: Record<string, { finds: string[]; leaves: string[] }> = JSON.parse(
  readFileSync(join(import.meta.dirname, "fixtures/english/samples.json"), "utf8"),
);

test("comments, docs and messages are in the English that engineers read only once", () => {
  expect(englishViolations(root).join("\n")).toBe("");
});

describe("each rule", () => {
  test("has samples, a reason and a replacement", () => {
    expect(Object.keys(samples)).toEqual(rules.map(({ name }) => name));
    for (const { why, write } of rules) expect([why, write]).not.toContain("");
  });

  test.each(rules.map(({ name }) => name))("%s: finds its samples, and leaves others alone", (name) => {
    const found = (text: string) =>
      findingsIn({ file: "x.ts", kind: "comment", lines: [{ line: 1, text }] }).filter(
        ({ rule }) => rule.name === name,
      );
    const { finds, leaves } = samples[name] ?? { finds: [], leaves: [] };
    expect(finds.filter((text) => found(text).length === 0)).toEqual([]);
    expect(leaves.filter((text) => found(text).length > 0)).toEqual([]);
  });
});

describe("prose", () => {
  const textOf = (passages: ReturnType<typeof passagesOfCode>) =>
    passages.map(({ kind, lines }) => [kind, lines[0]?.line, lines.map(({ text }) => text).join(" ")]);

  test("of code: comments, docstrings and strings with words, across lines; no code", () => {
    const code = [
      "// One line",
      "// and the next.",
      "const a = 1; // at the end",
      "/**",
      " * A docstring with `code` and",
      " * {@link Other} names.",
      " *",
      " * @throws when it fails",
      " */",
      'const regex = /"not a string/;',
      'import { b } from "./module.ts";',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the code that is read
      "throw new Error(`The value ${JSON.stringify(a)} is wrong`);",
    ].join("\n");
    expect(textOf(passagesOfCode("x.ts", code))).toEqual([
      ["comment", 1, "One line and the next."],
      ["comment", 3, "at the end"],
      ["comment", 5, "A docstring with … and … names."],
      ["comment", 8, "@throws when it fails"],
      ["string", 12, "The value … is wrong"],
    ]);
  });

  test("of Markdown: paragraphs, headings, cells, and the comments of code blocks", () => {
    const page = [
      "# Title",
      "",
      "One line",
      "and [the next](./other.md).",
      "- item",
      "",
      "| a | `b` last |",
      "",
      "```ts",
    ];
    const rest = ["const x = 1; // a comment", "```", "", "```text", "not prose", "```"];
    expect(textOf(passagesOfMarkdown("x.md", [...page, ...rest].join("\n")))).toEqual([
      ["heading", 1, "# Title"],
      ["text", 3, "One line and [the next]."],
      ["text", 5, "- item"],
      ["cell", 7, "a"],
      ["cell", 7, "… last"],
      ["comment", 10, "a comment"],
    ]);
  });

  test("is found everywhere, with the line of each finding", () => {
    const files = proseFiles(root);
    for (const file of [
      "README.md",
      "docs/wire.md",
      "src/index.ts",
      "scripts/check.mjs",
      "bench/run.mjs",
      "examples/koa/server.js",
    ])
      expect(files).toContain(file);
    expect(files.filter((file) => file.includes("node_modules"))).toEqual([]);
    const lines = ["fine", "a subject", samples.newcomer?.finds[0] ?? ""].map((text, index) => ({
      line: 7 + index,
      text,
    }));
    expect(findingsIn({ file: "x.ts", kind: "comment", lines })).toMatchObject([
      { line: 9, rule: { name: "newcomer" } },
    ]);
  });
});
