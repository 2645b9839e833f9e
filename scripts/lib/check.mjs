import { hasPeers } from "../../bench/lib/install.mjs";
import { boundaryViolations } from "./boundaries.mjs";
import { build } from "./build.mjs";
import { englishViolations } from "./english.mjs";
import { packageFile, root } from "./paths.mjs";
import { runNode } from "./run.mjs";

/**
 * Runs all checks, even if one fails, so that all problems can be fixed at once.
 *
 * @param {{ fix?: boolean }} [options]
 * @returns {Promise<boolean>}
 */
export async function check({ fix = false } = {}) {
  // The build checks the types of src. Tests and examples are checked against its declarations.
  const steps = {
    "types of src": build,
    "types of tests, scripts, examples": async () =>
      (await runNode(packageFile("typescript", "lib/tsc.js"), "-p", "tsconfig.test.json")) === 0,
    "types of benchmarks": async () =>
      !hasPeers() || (await runNode(packageFile("typescript", "lib/tsc.js"), "-p", "bench/tsconfig.json")) === 0,
    "format and lint": async () =>
      (await runNode(
        packageFile("@biomejs/biome", "bin/biome"),
        "check",
        "--error-on-warnings",
        "--no-errors-on-unmatched",
        ...(fix ? ["--write"] : []),
      )) === 0,
    "import boundaries": async () => report(boundaryViolations(root)),
    English: async () => report(englishViolations(root)),
  };
  let passed = true;
  for (const [name, step] of Object.entries(steps)) {
    const start = performance.now();
    const ok = await step();
    console.log(`${ok ? "ok  " : "FAIL"} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    passed &&= ok;
  }
  return passed;
}

/** @param {string[]} violations */
function report(violations) {
  for (const violation of violations) console.error(violation);
  return violations.length === 0;
}
