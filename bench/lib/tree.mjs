import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../../scripts/lib/paths.mjs";

const git = (/** @type {string[]} */ ...args) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim();

/** The full hash of a commit. @param {string} commit @throws if it is not a commit. */
export function commitOf(commit) {
  return git("rev-parse", "--verify", "--quiet", `${commit}^{commit}`);
}

/** Checks a commit out into a folder and builds it there. @param {string} commit @param {string} folder */
export function checkOut(commit, folder) {
  git("worktree", "add", "--detach", "--quiet", folder, commit);
  prepare(folder);
}

/** @param {string} folder */
export function remove(folder) {
  git("worktree", "remove", "--force", folder);
}

/** Copies this tree into a folder and builds it there, so that it can be edited during the run. @param {string} folder */
export function snapshot(folder) {
  for (const name of ["src", "scripts", "package.json", "package-lock.json", ...configs])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  prepare(folder);
}

const configs = ["tsconfig.base.json", "tsconfig.core.json", "tsconfig.node.json"];

/** Builds a tree as it builds itself, and adds the servers of this tree, which measure both. @param {string} folder */
function prepare(folder) {
  link(join(root, "node_modules"), join(folder, "node_modules"));
  const bench = join(folder, "bench");
  mkdirSync(bench, { recursive: true });
  cpSync(join(root, "bench/servers"), join(bench, "servers"), { recursive: true });
  link(join(root, "bench/node_modules"), join(bench, "node_modules"));
  symlinkSync(folder, join(bench, "node_modules/sourcecast"), "junction");
  writeFileSync(join(bench, "package.json"), readFileSync(join(root, "bench/package.json")));
  const builder = JSON.stringify(pathToFileURL(join(folder, "scripts/lib/build.mjs")).href);
  const code = `import { build } from ${builder}; process.exit((await build()) ? 0 : 1);`;
  execFileSync(process.execPath, ["--input-type=module", "--eval", code], { cwd: folder, stdio: "inherit" });
}

/** Links every package into a folder of its own, so that each tree has its own caches of compilers. @param {string} from @param {string} to */
function link(from, to) {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (!name.startsWith(".") && name !== "sourcecast") symlinkSync(join(from, name), join(to, name), "junction");
  }
}
