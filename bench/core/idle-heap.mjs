import { spawnSync } from "node:child_process";
import { summary } from "../lib/rounds.mjs";
import { printTable } from "../lib/table.mjs";

/** Heap per source with 10,000 idle ones, after a collection; each variant in a process of its own. */
export async function idleHeap() {
  for (const kind of ["web", "node"]) {
    const results = ["by hand", "sourcecast"].map((who) => {
      return { name: who, ...summary(Array.from({ length: 3 }, () => run(kind, who))) };
    });
    printTable(`Heap of an idle ${kind} source, of 10,000`, "bytes", results);
  }
}

/**
 * @param {string} kind
 * @param {string} who
 */
function run(kind, who) {
  const script = new URL("./idle-heap-process.mjs", import.meta.url).pathname;
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--expose-gc", script, kind, who], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`Measuring the heap failed: ${stderr}`);
  return Number(stdout);
}
