import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parts, sizeOf } from "../../scripts/lib/size.mjs";
import { root } from "../support/package.ts";

type Part = keyof typeof parts;
type Budget = Record<Part, { minified: number; gzip: number }>;

// Growth is a decision: `npm run size -- --write` updates size-budget.json.
test.each(Object.keys(parts) as Part[])("%s stays within its size budget", async (part) => {
  const budget: Budget = JSON.parse(readFileSync(join(root, "test/package/size-budget.json"), "utf8"));
  const { minified, gzip } = await sizeOf(part);
  // Not by console.log: the guards take that for noise.
  process.stdout.write(
    `${part}: ${minified} B minified (budget ${budget[part].minified}), ${gzip} B with gzip (budget ${budget[part].gzip})\n`,
  );
  expect(minified).toBeLessThanOrEqual(budget[part].minified);
  expect(gzip).toBeLessThanOrEqual(budget[part].gzip);
});
