// Programs that npm does not have, from Debian's packages: on a machine of root with apt-get, as CI is one.
import { spawnSync } from "node:child_process";
import { run } from "./run.mjs";

/** @type {Promise<number> | undefined} */
let updated;

/**
 * Installs packages where that is possible. Whether they are there then, is for the caller to look.
 *
 * @param {string} why said before it begins, since it takes a while
 * @param {...string} packages
 */
export async function installFromDebian(why, ...packages) {
  if (!isPossible()) return;
  console.log(`${why}: installing Debian's ${packages.join(", ")} ...`);
  // Services are not started in runlevel 1, those of servers neither.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  /** @type {import("node:child_process").SpawnOptions} */
  const options = { env, stdio: ["ignore", "ignore", "inherit"] };
  // Somebody else may be at it: another part of the tests, or the machine's own updates.
  const patience = ["-o", "DPkg::Lock::Timeout=120"];
  updated ??= run("apt-get", ["update", "-qq"], options);
  await updated;
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...patience, ...packages], options);
}

function isPossible() {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  return spawnSync("apt-get", ["--version"], { stdio: "ignore" }).status === 0;
}
