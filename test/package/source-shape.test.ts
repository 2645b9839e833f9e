import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/package.ts";

/** Lines of the longest file that is still one subject. */
const limit = 400;

test(`no source file is longer than ${limit} lines`, () => {
  const src = join(root, "src");
  const files = readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => ({ name, lines: readFileSync(join(src, name), "utf8").split("\n").length - 1 }))
    .sort((a, b) => a.lines - b.lines);
  const median = files[Math.floor((files.length - 1) / 2)];
  const longest = files.at(-1);
  process.stdout.write(
    `Source: ${files.length} files, median ${median?.lines} lines, longest ${longest?.name} with ${longest?.lines}\n`,
  );
  expect(files.filter(({ lines }) => lines > limit)).toEqual([]);
});
