// The shape of a file of src: one subject that its first lines state, rarely more than 300 lines, comments with reasons.
import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { measure, type SourceFile, sourceFiles } from "../../scripts/lib/source-files.mjs";

const files = sourceFiles();

/** Lines of the longest file that is still one subject. */
const maxLines = 300;
/** Files that are longer, each with the reason. */
const longer: Record<string, string> = {};

/** Lines of comments for each line of code, at least: for a folder as a whole. */
const minComments = 0.3;

test(`no source file is longer than ${maxLines} lines, apart from those with a reason`, () => {
  const byLength = files.toSorted((a, b) => a.lines - b.lines);
  const median = byLength[Math.floor((files.length - 1) / 2)];
  const longest = byLength.at(-1);
  process.stdout.write(
    `Source: ${files.length} files, median ${median?.lines} lines, longest ${longest?.name} with ${longest?.lines}\n`,
  );
  const long = files.filter(({ lines }) => lines > maxLines).map(({ name }) => name);
  expect(long.filter((name) => !(name in longer))).toEqual([]);
});

test("src holds source files only, and nothing that a merge or an editor left", () => {
  const names = readdirSync(new URL("../../src", import.meta.url), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => !name.endsWith(".ts"))).toEqual([]);
});

test("every source file begins with a comment that states its subject", () => {
  const without = files.filter(({ subject }) => !/\w.*[.:]/s.test(subject)).map(({ name }) => name);
  expect(without).toEqual([]);
});

test(`every folder has ${minComments} lines of comments for each line of code`, () => {
  const ratios = [...Map.groupBy(files, folderOf)].map(([folder, group]) => ({ folder, ratio: ratioOf(group) }));
  for (const { folder, ratio } of ratios) process.stdout.write(`  ${folder.padEnd(18)} ${ratio.toFixed(2)}\n`);
  const low = ratios.filter(({ ratio }) => ratio < minComments);
  expect(low.map(({ folder, ratio }) => `${folder}: ${ratio.toFixed(2)}`)).toEqual([]);
});

describe("a file is measured", () => {
  test("by its lines of comments and of code", () => {
    const text =
      "// One.\n\n/**\n * Two\n */\nexport const a = 1; // no line of its own\n/* three */\nexport const b = 2;\n";
    expect(measure(text)).toEqual({ subject: "One.", lines: 8, comments: 5, code: 2 });
  });

  test.each([
    ["// One\n// and the same.\nimport {} from 'a';\n", "One\nand the same."],
    ["#!/usr/bin/env node\n// One.\nimport {} from 'a';\n", "One."],
    ["/** One. */\nimport {} from 'a';\n", "One."],
    ["/**\n * One.\n *\n * Two.\n */\n\nconst a = 1;\n", "One.\n\nTwo."],
    ["/** Of the constant. */\nconst a = 1;\n", ""],
    ["import {} from 'a';\n// Too late.\n", ""],
  ])("by the comment that it begins with: %j", (text, subject) => expect(measure(text).subject).toBe(subject));
});

/** `hub/feed` for hub/feed/feed.ts, `base` for base/clock.ts, the file itself at the top of src. */
function folderOf({ name }: SourceFile): string {
  const parts = name.split("/").slice(0, -1);
  if (parts.length === 0) return name === "index.ts" ? "hub" : name;
  return ["hub", "logs"].includes(parts[0] ?? "") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
}

function ratioOf(group: readonly SourceFile[]): number {
  const sum = (count: (file: SourceFile) => number) => group.reduce((total, file) => total + count(file), 0);
  return sum(({ comments }) => comments) / sum(({ code }) => code);
}
