import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const cacheDir = join(root, "node_modules", ".cache", "sourcecast");
export const pinnedNode = join(root, "node_modules/node/bin", process.platform === "win32" ? "node.exe" : "node");

/** The environment in which `node` and installed commands are those of this project. */
export function projectEnv() {
  const bin = join(root, "node_modules", ".bin");
  const path = process.env.PATH ?? "";
  return path.split(delimiter)[0] === bin ? process.env : { ...process.env, PATH: bin + delimiter + path };
}

/** @param {string} name a package that has its command as a JavaScript file @param {string} file */
export const packageFile = (name, file) => join(root, "node_modules", name, file);
