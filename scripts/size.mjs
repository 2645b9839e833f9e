// npm run size: the sizes of bundles. --write makes them the new budget, with 5 % of room.
import "./lib/bootstrap.mjs";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "./lib/build.mjs";
import { root } from "./lib/paths.mjs";
import { ceilings, parts, sizeOf } from "./lib/size.mjs";

if (!(await build())) process.exit(1);
const room = (/** @type {number} */ bytes) => Math.ceil((bytes * 1.05) / 50) * 50;
/** @type {Record<string, { minified: number, gzip: number }>} */
const budget = {};
for (const part of /** @type {(keyof typeof parts)[]} */ (Object.keys(parts))) {
  const { minified, gzip } = await sizeOf(part);
  console.log(`${part}: ${minified} B minified, ${gzip} B with gzip`);
  budget[part] = { minified: room(minified), gzip: Math.min(room(gzip), ceilings[part] ?? Number.POSITIVE_INFINITY) };
}
if (process.argv.includes("--write")) {
  writeFileSync(join(root, "test/package/size-budget.json"), `${JSON.stringify(budget, null, 2)}\n`);
}
