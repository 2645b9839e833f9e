// npm run bench [-- --quick] [-- --only fan-out,storm]: everything that is measured, with tables here and files in results/.
import "../scripts/lib/bootstrap.mjs";
import { loadavg } from "node:os";
import { build } from "../scripts/lib/build.mjs";
import { installPeers } from "./lib/install.mjs";

const quick = process.argv.includes("--quick");
const [, only] = /--only[= ](\S+)/.exec(process.argv.join(" ")) ?? [];

installPeers();
if (!(await build())) process.exit(1);
// Who is there to be measured is known only now.
const { missing } = await import("./contenders.mjs");
const { measures } = await import("./measures.mjs");
const { report } = await import("./lib/report.mjs");
const { writeGoals } = await import("./lib/goals.mjs");

const wanted = measures.filter(({ name }) => only === undefined || only.split(",").includes(name));
if (wanted.length === 0)
  throw new Error(`--only ${only}: the measures are ${measures.map(({ name }) => name).join(", ")}`);
for (const contender of ["control-c", "nchan", "set@bun", "set@deno"]) {
  const lacks = missing(contender);
  if (lacks !== null) console.log(`Left out: ${contender}, which needs ${lacks}`);
}
console.log("Left out: Oak, which sends no byte of an event stream on Node");
console.log(
  `Load before: ${loadavg()[0]?.toFixed(2)} on average of the last minute; anything above 0.5 blurs the figures`,
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
if (!quick) console.log(`\nWhat is to be reached, by what is in bench/results\n\n${writeGoals()}`);
console.log(`\n${((performance.now() - begin) / 60_000).toFixed(1)} minutes`);

/** One line that is written over and over. @param {string} text */
function progress(text) {
  if (!process.stderr.isTTY) return;
  const seconds = ((performance.now() - begin) / 1_000).toFixed(0);
  process.stderr.write(text === "" ? "\r\x1b[K" : `\r\x1b[K${seconds} s  ${text}`);
}
