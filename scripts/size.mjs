// The size of the core. --write: take it, with 5 % of room, as the new budget.
import "./lib/bootstrap.mjs";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "./lib/build.mjs";
import { root } from "./lib/paths.mjs";
import { coreSize } from "./lib/size.mjs";

if (!(await build())) process.exit(1);
const size = await coreSize();
console.log(`The core: ${size.minified} B minified, ${size.gzip} B with gzip`);
if (process.argv.includes("--write")) {
  const room = (/** @type {number} */ bytes) => Math.ceil((bytes * 1.05) / 50) * 50;
  const budget = { core: { minified: room(size.minified), gzip: room(size.gzip) } };
  writeFileSync(join(root, "test/package/size-budget.json"), `${JSON.stringify(budget, null, 2)}\n`);
}
