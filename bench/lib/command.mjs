import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bench = fileURLToPath(new URL("../", import.meta.url));
const runtimes = {
  bun: { path: join(bench, "../node_modules/.bin/bun"), args: ["run"] },
  deno: {
    path: join(bench, "node_modules/.bin/deno"),
    args: ["run", "--allow-all", "--quiet", "--v8-flags=--expose-gc"],
  },
};

/** @param {string} name */
export function hasRuntime(name) {
  return name in runtimes && existsSync(runtimes[/** @type {keyof typeof runtimes} */ (name)].path);
}

/** @param {string} name @param {string[]} args */
export function runtimeVersion(name, args = ["--version"]) {
  const { path } = runtimes[/** @type {keyof typeof runtimes} */ (name)];
  return execFileSync(path, args, { encoding: "utf8" }).split("\n", 1)[0]?.trim() ?? "unknown";
}

export function hasCompiler() {
  return ["/usr/bin/cc", "/usr/local/bin/cc"].some((path) => existsSync(path));
}

/**
 * The command that starts a script of bench/, or of another folder with the same files: with Node, with the runtime named
 * after an `@`, or compiled.
 *
 * @param {string} script
 * @param {string} [root]
 */
export function commandOf(script, root = bench) {
  const [file = "", runtime] = script.split("@");
  const path = join(root, file);
  if (path.endsWith(".c")) return [compiled(path)];
  if (runtime === undefined) return [process.execPath, "--expose-gc", "--no-warnings", path];
  const { path: program, args } = runtimes[/** @type {keyof typeof runtimes} */ (runtime)];
  return [program, ...args, path];
}

/** @param {string} path */
function compiled(path) {
  const folder = join(bench, "node_modules/.cache");
  const program = join(folder, `${createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16)}`);
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    execFileSync("cc", ["-O2", "-Wall", "-o", program, path], { stdio: ["ignore", "inherit", "inherit"] });
  }
  return program;
}
