import { packageFile } from "./paths.mjs";
import { runNode } from "./run.mjs";

/** Runs Vitest once; its summary is the last thing printed. @param {string[]} args */
export function vitest(args) {
  const watch = args.includes("--watch") || args.includes("-w");
  return runNode(packageFile("vitest", "vitest.mjs"), ...(watch ? [] : ["run"]), ...args);
}
