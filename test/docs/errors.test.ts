import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { errorCodes } from "../../src/index.ts";
import { root } from "../support/package.ts";

const codes = Object.keys(errorCodes);
const read = (file: string): string => readFileSync(join(root, file), "utf8");

test("docs/errors.md has each code, in the same order and with the same sentence", () => {
  const sections = [...read("docs/errors.md").matchAll(/^### (.+)\n\n(.+)\.$/gm)];
  expect(sections.map(([, code, sentence]) => [code, sentence])).toEqual(Object.entries(errorCodes));
});

test("each section says more than its first sentence", () => {
  const sections = read("docs/errors.md").split(/^### /m).slice(1);
  const bare = sections.filter((section) => section.split("\n## ")[0]?.trim().split("\n\n").length === 2);
  expect(bare).toEqual([]);
});

test("the type ErrorCode has the same codes in what is published", () => {
  const declared = read("dist/errors.d.ts").matchAll(/^ +readonly (ERR_\w+): /gm);
  expect(Array.from(declared, ([, code]) => code)).toEqual(codes);
});

test("each code is used, and no other is mentioned in src or in a document", () => {
  const thrown = mentioned(globSync("src/**/*.ts", { cwd: root }).filter((file) => file !== "src/errors.ts"));
  const written = mentioned(["README.md", "SECURITY.md", ...globSync("docs/**/*.md", { cwd: root })]);
  expect([...thrown].sort()).toEqual(codes.toSorted());
  expect([...written].filter((code) => !codes.includes(code))).toEqual([]);
});

test("the stages of background failures are those of the type", () => {
  const type = /type FailureStage =([^;]+);/.exec(read("src/hub/options.ts"))?.[1] ?? "";
  const documented =
    read("docs/errors.md")
      .split("## Failures in the background")[1]
      ?.matchAll(/^\| `(\w+)` \|/gm) ?? [];
  expect(Array.from(documented, ([, stage]) => stage)).toEqual([
    "stage",
    ...Array.from(type.matchAll(/"(\w+)"/g), ([, stage]) => stage),
  ]);
});

function mentioned(files: readonly string[]): Set<string> {
  return new Set(files.flatMap((file) => read(file).match(/\bERR_SSE_[A-Z_]+\b/g) ?? []));
}
