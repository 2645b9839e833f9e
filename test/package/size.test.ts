import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { coreSize } from "../../scripts/lib/size.mjs";
import { root } from "../support/package.ts";

interface Budget {
  core: { minified: number; gzip: number };
}

// Growth is a decision: `npm run size -- --write` writes size-budget.json anew.
test("the core stays within its size budget", async () => {
  const budget: Budget = JSON.parse(readFileSync(join(root, "test/package/size-budget.json"), "utf8"));
  const size = await coreSize();
  // Not by console.log: the guards take that for noise.
  process.stdout.write(
    `The core: ${size.minified} B minified (budget ${budget.core.minified}), ${size.gzip} B with gzip (budget ${budget.core.gzip})\n`,
  );
  expect(size.minified).toBeLessThanOrEqual(budget.core.minified);
  expect(size.gzip).toBeLessThanOrEqual(budget.core.gzip);
});
