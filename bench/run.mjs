// npm run bench [-- --quick] [-- --only fan-out]: everything that is measured, with tables here and files in results/.
import "../scripts/lib/bootstrap.mjs";
import { build } from "../scripts/lib/build.mjs";
import { installPeers } from "./lib/install.mjs";
import { report } from "./lib/report.mjs";
import { bursts } from "./measures/bursts.mjs";
import { fanOut } from "./measures/fan-out.mjs";
import { latency } from "./measures/latency.mjs";

const quick = process.argv.includes("--quick");
const only = process.argv.includes("--only") ? process.argv[process.argv.indexOf("--only") + 1] : undefined;
const measures = [fanOut, bursts, latency].filter(({ name }) => only === undefined || name === only);
if (measures.length === 0) throw new Error(`There is no measure "${only}"`);

installPeers();
if (!(await build())) process.exit(1);

const start = performance.now();
for (const measure of measures) {
  const results = await measure.run({
    quick,
    progress(text) {
      const seconds = ((performance.now() - start) / 1_000).toFixed(0);
      if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${seconds} s  ${measure.name}: ${text}`);
    },
  });
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  await report(measure, results, { quick });
}
