import { spawn } from "node:child_process";
import { projectEnv, root } from "./paths.mjs";

/**
 * Runs a command with this process's terminal and forwards signals to it. Resolves with its exit code, or 128 + n if signal n
 * ended it, as in a shell.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {import("node:child_process").SpawnOptions} [options]
 * @returns {Promise<number>}
 */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env: projectEnv(), stdio: "inherit", ...options });
    /** @param {NodeJS.Signals} signal */
    const forward = (signal) => child.kill(signal);
    for (const signal of signals) process.on(signal, forward);
    const done = () => {
      for (const signal of signals) process.off(signal, forward);
    };
    child.once("error", (error) => {
      done();
      reject(error);
    });
    child.once("exit", (code, signal) => {
      done();
      resolve(code ?? 128 + (numbers[signal ?? ""] ?? 1));
    });
  });
}

/** Runs a JavaScript file with the Node that runs this process. @param {string[]} args */
export const runNode = (...args) => run(process.execPath, args);

const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
/** @type {Record<string, number>} */
const numbers = { SIGHUP: 1, SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };
