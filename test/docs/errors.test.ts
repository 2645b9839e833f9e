import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { errorCodes } from "../../src/wire/index.ts";
import { root } from "../support/package.ts";

const codes = Object.keys(errorCodes);
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const documented = read("docs/errors.md").split("## The codes")[1]?.split("\n## ")[0] ?? "";

test("docs/errors.md has each code, in the same order and with the same sentence", () => {
  const sections = [...documented.matchAll(/^### (.+)\n\n(.+)\.$/gm)];
  expect(sections.map(([, code, sentence]) => [code, sentence])).toEqual(Object.entries(errorCodes));
});

test("each section says more than its first sentence", () => {
  const sections = documented.split(/^### /m).slice(1);
  const bare = sections.filter((section) => section.trim().split("\n\n").length === 2);
  expect(bare).toEqual([]);
});

test("the type ErrorCode has the same codes in what is published", () => {
  const declared = read("dist/base/errors.d.ts").matchAll(/^ +readonly (ERR_\w+): /gm);
  expect(Array.from(declared, ([, code]) => code)).toEqual(codes);
});

test("each code is used, and no other is mentioned in src or in a document", () => {
  const thrown = mentioned(globSync("src/**/*.ts", { cwd: root }).filter((file) => file !== "src/base/errors.ts"));
  const written = mentioned(["README.md", "SECURITY.md", ...globSync("docs/**/*.md", { cwd: root })]);
  expect([...thrown].sort()).toEqual(codes.toSorted());
  expect([...written].filter((code) => !codes.includes(code))).toEqual([]);
});

test("the stages of background failures are those of the type", () => {
  const type = /type FailureStage =([^;]+);/.exec(read("src/hub/options.ts"))?.[1] ?? "";
  const table =
    read("docs/errors.md")
      .split("## Failures in the background")[1]
      ?.matchAll(/^\| `(\w+)` \|/gm) ?? [];
  expect(Array.from(table, ([, stage]) => stage)).toEqual([
    "stage",
    ...Array.from(type.matchAll(/"(\w+)"/g), ([, stage]) => stage),
  ]);
});

function mentioned(files: readonly string[]): Set<string> {
  return new Set(files.flatMap((file) => read(file).match(/\bERR_SSE_[A-Z_]+\b/g) ?? []));
}

test("each console warning has its section, which quotes its first words", () => {
  const sources = globSync("src/**/*.ts", { cwd: root }).filter((file) => /warnOnce\(/.test(read(file)));
  const said = sources
    .map(read)
    .join("\n")
    .replace(/\$\{[^}]*\}/g, "…");
  const sections = read("docs/errors.md").split("## Console warnings")[1]?.split("\n### ").slice(1) ?? [];
  const words = sections.map((section) => /^\*(.+?)\*/m.exec(section)?.[1] ?? section);
  const inCode = words.map((text) => text.replace("/events", "…").replace("10 s", "… s").replace(/\.$/, "").slice(1));
  expect(inCode.filter((text) => !said.includes(text))).toEqual([]);
  const calls = said.match(/^ +warnOnce\(/gm) ?? [];
  expect(sections).toHaveLength(calls.length);
});
