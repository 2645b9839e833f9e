import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { entries, manifest, root } from "../support/package.ts";

// A name that is added or removed is a decision: `npm run test:package -- -u` updates exports.txt.
test("each subpath exports exactly the names in exports.txt", async () => {
  const lines: string[] = [];
  for (const { specifier, code } of entries) {
    const names = Object.keys(await import(pathToFileURL(join(root, code)).href)).sort();
    lines.push(specifier, ...names.map((name) => `  ${name}`));
  }
  await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot("exports.txt");
});

test.each(entries)("$specifier has types and code, and no default export", async ({ types, code }) => {
  expect(existsSync(join(root, types)), types).toBe(true);
  expect(await import(pathToFileURL(join(root, code)).href)).not.toHaveProperty("default");
});

test("there are no dependencies at runtime", () => {
  expect(manifest.dependencies ?? {}).toEqual({});
});
