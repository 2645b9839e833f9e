// Installs programs that npm does not have from Debian's packages, on machines with root and apt-get such as CI.
import { spawnSync } from "node:child_process";
import { run } from "./run.mjs";

/** @type {Promise<number> | undefined} */
let updated;

/**
 * Installs packages if that is possible. The caller checks whether they are there afterwards.
 *
 * @param {string} why printed before it begins, because it takes a while
 * @param {...string} packages
 */
export async function installFromDebian(why, ...packages) {
  if (!isPossible()) return;
  console.log(`${why}: installing Debian's ${packages.join(", ")} ...`);
  // In runlevel 1, packages of servers do not start their services.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  /** @type {import("node:child_process").SpawnOptions} */
  const options = { env, stdio: ["ignore", "ignore", "inherit"] };
  // Another part of the tests or the machine's own updates may hold the lock of apt.
  const patience = ["-o", "DPkg::Lock::Timeout=120"];
  updated ??= run("apt-get", ["update", "-qq"], options);
  await updated;
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...patience, ...packages], options);
}

function isPossible() {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  return spawnSync("apt-get", ["--version"], { stdio: "ignore" }).status === 0;
}
