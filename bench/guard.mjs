// npm run bench:guard -- <commit> [--rounds 9]: compares this tree with a commit, in one run, by processor time and
// allocations. Exits with 1 if a figure became worse beyond noise.
import "../scripts/lib/bootstrap.mjs";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPeers } from "./lib/install.mjs";
import { checkOut, commitOf, remove, snapshot } from "./lib/tree.mjs";

const [name = "", ...rest] = process.argv.slice(2);
if (name === "") throw new Error("npm run bench:guard -- <commit>: name the commit to compare with, such as HEAD~1");
const rounds = Number(rest[0] === "--rounds" ? rest[1] : 9);
if (!(rounds >= 7))
  throw new Error(`--rounds ${rest[1]}: pass 7 or more; with fewer pairs, a change cannot be told from noise`);
const commit = commitOf(name);
installPeers();
// Imported only now: the contenders depend on the packages that were just installed.
const { compare } = await import("./lib/compare.mjs");

const folder = mkdtempSync(join(tmpdir(), "sourcecast-guard-"));
const trees = { before: join(folder, "before"), now: join(folder, "now") };
let isWorse = false;
try {
  mkdirSync(trees.now);
  console.log(`Building this tree and ${commit.slice(0, 10)} ...`);
  snapshot(trees.now);
  checkOut(commit, trees.before);
  isWorse = await compare(trees, rounds);
} finally {
  remove(trees.before);
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = isWorse ? 1 : 0;
