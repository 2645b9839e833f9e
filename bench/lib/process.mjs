import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const canPin = existsSync("/usr/bin/taskset");

/** A process of the benchmark, spoken to in lines of JSON: pinned to one processor where the system can. */
export class Worker {
  #child;
  /** @type {AsyncIterator<string>} */
  #lines;

  /**
   * @param {string} script Path below bench/.
   * @param {{ processor: number, args?: string[] }} options
   */
  constructor(script, { processor, args = [] }) {
    const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
    const command = [process.execPath, "--expose-gc", "--no-warnings", path, ...args];
    const [file, ...rest] = canPin ? ["taskset", "-c", String(processor), ...command] : command;
    this.#child = spawn(file, rest, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid() {
    return this.#child.pid;
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

  async stop() {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }
}
