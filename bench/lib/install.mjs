import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(folder, "node_modules", ".installed");

/** Whether the packages that the benchmarks compare with are installed, for this package.json. */
export function hasPeers() {
  return existsSync(stamp) && readFileSync(stamp, "utf8") === wanted();
}

/** Installs the packages that the benchmarks compare with, unless they are installed for this package.json. */
export function installPeers() {
  if (hasPeers()) return;
  console.log("Installing the packages to compare with ...");
  const { status } = spawnSync("npm", ["install", "--no-package-lock", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error("The packages that the benchmarks compare with could not be installed");
  // A link rather than a dependency: npm would install the development dependencies of the package, too.
  const self = join(folder, "node_modules", "sourcecast");
  rmSync(self, { recursive: true, force: true });
  symlinkSync(dirname(folder), self, "junction");
  writeFileSync(stamp, wanted());
}

function wanted() {
  return readFileSync(join(folder, "package.json"), "utf8");
}
