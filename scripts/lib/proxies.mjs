// Finds or installs the proxies to test with: those on the machine, else Debian's packages.
import { installFromDebian } from "./debian.mjs";
import { findProgram } from "./programs.mjs";

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
  return findProgram(name);
}

/** @param {string} name */
export function instruction(name) {
  return `\n${name} is missing, and the tests with proxies are never skipped. Install it (Debian, Ubuntu: sudo apt-get install ${name}).`;
}
