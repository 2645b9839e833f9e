// Finds programs that are installed on this machine.
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** @param {string} name @param {...string} more folders to look into after the usual ones @returns {string | undefined} its path */
export function findProgram(name, ...more) {
  // The folders of system programs are not on the PATH of every user.
  const usual = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin"].filter(Boolean);
  return [...usual, ...more].map((folder) => join(folder, name)).find(isProgram);
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
