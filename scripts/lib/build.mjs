// dist: declarations by tsc, one for each file, and JavaScript by Rolldown, one file for each subpath (bundle.mjs). Nothing
// is done when dist was made from the same sources.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "./bundle.mjs";
import { cacheDir, packageFile, root } from "./paths.mjs";
import { runNode } from "./run.mjs";

const dist = join(root, "dist");
const stamp = join(cacheDir, "built");
const configs = ["tsconfig.base.json", "tsconfig.core.json", "tsconfig.node.json", "scripts/lib/bundle.mjs"];

/** @returns {Promise<boolean>} false when a compiler found errors, which it printed */
export async function build() {
  const wanted = fingerprint();
  if (existsSync(dist) && read(stamp) === wanted) return true;
  rmSync(stamp, { force: true });
  rmSync(dist, { recursive: true, force: true });
  const args = ["-b", "--force", "tsconfig.core.json", "tsconfig.node.json"];
  if ((await runNode(packageFile("typescript", "lib/tsc.js"), ...args)) !== 0) return false;
  if (!(await bundle())) return false;
  mkdirSync(cacheDir, { recursive: true });
  writeFileSync(stamp, wanted);
  return true;
}

function fingerprint() {
  const hash = createHash("sha256");
  for (const file of [...configs, "package-lock.json", "package.json", ...sources()])
    hash.update(`${file}\0${read(join(root, file))}\0`);
  return hash.digest("hex");
}

function sources() {
  const src = join(root, "src");
  if (!existsSync(src)) return [];
  const names = /** @type {string[]} */ (readdirSync(src, { recursive: true }));
  return names
    .filter((name) => name.endsWith(".ts"))
    .sort()
    .map((name) => join("src", name));
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
