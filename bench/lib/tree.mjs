import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/lib/paths.mjs";

const git = (/** @type {string[]} */ ...args) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();

/** The full name of a commit. @param {string} commit @throws for what is none. */
export function commitOf(commit) {
  return git("rev-parse", "--verify", "--quiet", `${commit}^{commit}`);
}

/** Takes a commit's files into a folder and builds them there. @param {string} commit @param {string} folder */
export function checkOut(commit, folder) {
  git("worktree", "add", "--detach", "--quiet", folder, commit);
  prepare(folder);
}

/** @param {string} folder */
export function remove(folder) {
  git("worktree", "remove", "--force", folder);
}

/** Takes this tree's files, as they are, into a folder and builds them there: they may be edited meanwhile. @param {string} folder */
export function snapshot(folder) {
  for (const name of ["src", "package.json", ...configs])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  prepare(folder);
}

const configs = ["tsconfig.base.json", "tsconfig.core.json", "tsconfig.node.json"];

/** Builds, and adds the servers of this tree, which measure both. @param {string} folder */
function prepare(folder) {
  link(join(root, "node_modules"), join(folder, "node_modules"));
  const bench = join(folder, "bench");
  mkdirSync(bench, { recursive: true });
  cpSync(join(root, "bench/servers"), join(bench, "servers"), { recursive: true });
  link(join(root, "bench/node_modules"), join(bench, "node_modules"));
  symlinkSync(folder, join(bench, "node_modules/sourcecast"), "junction");
  writeFileSync(join(bench, "package.json"), readFileSync(join(root, "bench/package.json")));
  const tsc = join(root, "node_modules/typescript/lib/tsc.js");
  execFileSync(process.execPath, [tsc, "-b", "--force", "tsconfig.core.json", "tsconfig.node.json"], {
    cwd: folder,
    stdio: "inherit",
  });
}

/** The same packages, in a folder of its own: what the compiler notes there is not for all trees. @param {string} from @param {string} to */
function link(from, to) {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (!name.startsWith(".") && name !== "sourcecast") symlinkSync(join(from, name), join(to, name), "junction");
  }
}
