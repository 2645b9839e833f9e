// npm run bench [-- --quick] [-- --only fan-out,storm] [-- --hub ./other.mjs]: runs all benchmarks, with hubs of other projects,
// prints tables and writes files to results/.
import "../scripts/lib/bootstrap.mjs";
import { loadavg } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "../scripts/lib/build.mjs";
import { installPeers } from "./lib/install.mjs";

const { quick, only, hub } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    hub: { type: "string", multiple: true, default: [] },
  },
}).values;

installPeers();
if (!(await build())) process.exit(1);
// Imported only now: the contenders depend on the packages that were just installed.
const { addHub, hubs, missing } = await import("./contenders.mjs");
const { checkDescription } = await import("./lib/hub.mjs");
for (const path of hub) addHub(checkDescription((await import(pathToFileURL(resolve(path)).href)).default, path));
const { measures } = await import("./measures.mjs");
const { report } = await import("./lib/report.mjs");
const { goalTable } = await import("./lib/goals.mjs");
const { writePages } = await import("./lib/page.mjs");

const wanted = measures.filter(({ name }) => only === undefined || only.split(",").includes(name));
if (wanted.length === 0)
  throw new Error(`--only ${only}: the benchmarks are ${measures.map(({ name }) => name).join(", ")}`);
for (const contender of ["control-c", ...hubs(), "set@bun", "set@deno"]) {
  const lacks = missing(contender);
  if (lacks !== null) console.log(`Left out: ${contender}, which needs ${lacks}`);
}
console.log("Left out: Oak, which sends no byte of an event stream on Node");
console.log(
  `Load before the run: ${loadavg()[0]?.toFixed(2)} on average over the last minute; above 0.5 the figures are unreliable`,
);

const begin = performance.now();
for (const measure of wanted) {
  const start = performance.now();
  const groups = await measure.run({ quick, progress: (text) => progress(`${measure.name}: ${text}`) });
  progress("");
  const seconds = Math.round((performance.now() - start) / 1_000);
  report(measure, groups, { write: !quick, seconds });
  console.log(`  ${seconds} s`);
}
if (!quick) {
  writePages();
  console.log(`\nGoals, according to bench/results\n\n${goalTable()}`);
}
console.log(`\n${((performance.now() - begin) / 60_000).toFixed(1)} minutes`);

/** Prints one line that replaces the previous one. @param {string} text */
function progress(text) {
  if (!process.stderr.isTTY) return;
  const seconds = ((performance.now() - begin) / 1_000).toFixed(0);
  process.stderr.write(text === "" ? "\r\x1b[K" : `\r\x1b[K${seconds} s  ${text}`);
}
