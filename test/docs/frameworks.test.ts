import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withTable } from "../../scripts/lib/frameworks.mjs";
import { root } from "../support/package.ts";

test("the table in docs/frameworks.md is what the tests of frameworks recorded (npm run frameworks)", () => {
  const page = readFileSync(join(root, "docs/frameworks.md"), "utf8");
  expect(page).toBe(withTable(page));
});

test("each example of a framework is in that table, with the versions that it uses", () => {
  const folder = join(root, "test/frameworks/results");
  const results = readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")));
  for (const example of readdirSync(join(root, "examples")).filter(isOfFramework)) {
    const { sourcecast: _, ...packages } = JSON.parse(
      readFileSync(join(root, "examples", example, "package.json"), "utf8"),
    ).dependencies;
    const recorded = results.filter((result) => result.example === example);
    expect(
      recorded.map((result) => result.packages),
      example,
    ).toContainEqual(expect.objectContaining(packages));
  }
});

/** The others are applications of their own, pages on any server, and an index. */
function isOfFramework(example: string): boolean {
  return !["chat", "cluster", "demo", "testing", "react", "tanstack-query", "vue", "README.md"].includes(example);
}
