// The mark of a finished installation: a file in node_modules with the hash of the lock file and the platform. npm removes
// node_modules first, so an interrupted installation leaves no mark.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "./paths.mjs";

const file = join(root, "node_modules", ".cache", "sourcecast", "installed");

export function isInstalled() {
  try {
    return readFileSync(file, "utf8") === wanted();
  } catch {
    return false;
  }
}

export function markInstalled() {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, wanted());
}

function wanted() {
  const lock = readFileSync(join(root, "package-lock.json"));
  return `${createHash("sha256").update(lock).digest("hex")} ${process.platform}-${process.arch}\n`;
}

// npm runs this file (script "dependencies") after changing node_modules, so that a manual installation counts too.
if (process.argv[1] === fileURLToPath(import.meta.url)) markInstalled();
