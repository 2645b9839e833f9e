import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../support/package.ts";

const page = readFileSync(join(root, "docs/deploy.md"), "utf8");
const shown = new Map(
  Array.from(page.matchAll(/^```\w+ (docs\/deploy\/\S+)\n(.*?)^```$/gms), ([, file, text]) => [file, text]),
);

test.each(readdirSync(join(root, "docs/deploy")))("docs/deploy.md shows %s as it is", (name) => {
  const file = `docs/deploy/${name}`;
  expect(shown.get(file)).toBe(readFileSync(join(root, file), "utf8"));
});
