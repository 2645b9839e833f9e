import { packageFile } from "./paths.mjs";
import { runNode } from "./run.mjs";

/** Runs Vitest once; its summary is the last thing printed. @param {string[]} args */
export function vitest(args) {
  const watch = args.includes("--watch") || args.includes("-w");
  return runNode(packageFile("vitest", "vitest.mjs"), ...(watch ? [] : ["run"]), ...filtered(args));
}

/** `--only fastify` is the test file of that name, as Vitest's own filters are parts of paths. @param {string[]} args */
function filtered(args) {
  const at = args.indexOf("--only");
  if (at === -1) return args;
  const name = args[at + 1];
  if (name === undefined || name.startsWith("-")) throw new Error("--only takes a name, such as --only fastify");
  // First, since an option at the end such as -u would take it for its value.
  return [`/${name}.test.ts`, ...args.slice(0, at), ...args.slice(at + 2)];
}
