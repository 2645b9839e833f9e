// Finds or installs the proxies to test with: those on the machine, else Debian's packages.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { installFromDebian } from "./debian.mjs";

/** The programs, each in a package of the same name. */
export const proxies = /** @type {const} */ (["nginx", "haproxy", "caddy"]);

/** Installs missing proxies. @returns {Promise<boolean>} false after printing what to do */
export async function ensureProxies() {
  const missing = () => proxies.filter((name) => findProxy(name) === undefined);
  if (missing().length > 0) await installFromDebian("The tests run behind proxies", ...missing());
  for (const name of missing()) console.error(instruction(name));
  return missing().length === 0;
}

/** @param {string} name @returns {string | undefined} its path */
export function findProxy(name) {
  // The folders of system programs are not on the PATH of every user.
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin"].filter(Boolean);
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** @param {string} name */
export function instruction(name) {
  return `\n${name} is missing, and the tests with proxies are never skipped. Install it (Debian, Ubuntu: sudo apt-get install ${name}).`;
}

/** @param {string} file */
function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
