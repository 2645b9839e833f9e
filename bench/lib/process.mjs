import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { commandOf } from "./command.mjs";

const canPin = existsSync("/usr/bin/taskset");

/** The command pinned to one processor, where the system can. @param {string[]} command @param {number} processor */
export function pinned(command, processor) {
  return canPin ? ["taskset", "-c", String(processor), ...command] : command;
}

/** A process of the benchmark, pinned to one processor. It takes commands as lines of JSON. */
export class Worker {
  #child;
  /** @type {AsyncIterator<string>} */
  #lines;

  /**
   * @param {string} script Path in bench/, then `@` and the runtime unless it is Node.
   * @param {{ processor: number, root?: string | undefined }} options `root` replaces bench/.
   */
  constructor(script, { processor, root }) {
    const [file = "", ...args] = pinned(commandOf(script, root), processor);
    // Servers may print warnings to their standard error; they do not stop a benchmark.
    this.#child = spawn(file, args, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, NO_COLOR: "1" } });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** The next thing that it says. @returns {Promise<any>} */
  async hear() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("A process of the benchmark ended before its answer");
    return JSON.parse(value);
  }

  /**
   * @param {string} command
   * @param {object} [options]
   * @returns {Promise<any>}
   */
  ask(command, options = {}) {
    this.#child.stdin.write(`${JSON.stringify({ command, ...options })}\n`);
    return this.hear();
  }

  /** Ends the process by closing its standard input, so that it cleans up. A process that hangs is killed. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin.end();
    const deadline = setTimeout(() => this.#child.kill("SIGKILL"), 1_000);
    await gone;
    clearTimeout(deadline);
  }
}

/** Microseconds of processor time that a process has taken, all of its threads, as the kernel counts them. @param {number} pid */
export function cpuOf(pid) {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  }
  return nanoseconds / 1_000;
}
