// examples/README.md and AGENTS.md name what is there.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { copies } from "../../scripts/lib/example-copies.mjs";
import { agentsFile } from "../../scripts/lib/tree.mjs";
import { manifest, root } from "../support/package.ts";

const read = (file: string): string => readFileSync(join(root, file), "utf8");

test("examples/README.md lists every example once, each with a sentence", () => {
  const rows = [...read("examples/README.md").matchAll(/^\| \[([\w-]+)\]\(\1(?:\/README\.md)?\) \| (.+) \|$/gm)];
  const folders = readdirSync(join(root, "examples"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(rows.map(([, name]) => name).toSorted()).toEqual(folders.map(({ name }) => name).toSorted());
  expect(rows.filter(([, , text = ""]) => text.length < 10)).toEqual([]);
});

test.each(Object.entries(copies))(
  "examples/%s is the same as examples/react/%s (npm run generate)",
  (copy, original) => {
    expect(read(`examples/${copy}`)).toBe(read(`examples/react/${original}`));
  },
);

test("the tree in AGENTS.md is the one that npm run generate writes", () => {
  const { written, expected } = agentsFile();
  expect(written).toBe(expected);
  expect(written).toContain("  base/");
  expect(written).toContain("encode.ts");
});

test("AGENTS.md and CONTRIBUTING.md name commands that exist", () => {
  const { scripts } = manifest as unknown as { scripts: Record<string, string> };
  for (const file of ["AGENTS.md", "CONTRIBUTING.md", "README.md"]) {
    const named = Array.from(read(file).matchAll(/\bnpm run ([\w:]+)/g), ([, name = ""]) => name);
    expect(
      named.filter((name) => !(name in scripts)),
      file,
    ).toEqual([]);
  }
});

test("AGENTS.md names files that exist", () => {
  const named = Array.from(
    read("AGENTS.md").matchAll(/`((?:src|scripts|test)\/[\w./-]+\.(?:ts|mjs))`/g),
    ([, name = ""]) => name,
  );
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !existsInRepository(name))).toEqual([]);
});

function existsInRepository(file: string): boolean {
  try {
    return read(file) !== "";
  } catch {
    return false;
  }
}
