import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { cpuOf, pinned } from "./process.mjs";

/**
 * A hub of another project: how to start it, to subscribe and to publish. See hubs/README.md.
 *
 * @typedef {object} Description
 * @property {string} name
 * @property {{ programs: string[], from: string }} [needs]
 * @property {Record<string, string>} [files] Written before the start. `{folder}` and `{port}` are replaced.
 * @property {string[]} [command] The same in the command.
 * @property {number} [pid] Without a command: the process of a hub that runs already.
 * @property {number} [port] Without a command: where it listens.
 * @property {{ path: string, headers?: Record<string, string> }} subscribe
 * @property {{ path: string, headers?: Record<string, string>, body: string }} publish `{data}` is replaced in the body.
 */

const startAttempts = 250;
const startPauseMs = 20;
const stopGraceMs = 2_000;

/** Throws an error unless a file describes a hub. @param {unknown} value @param {string} path @returns {Description} */
export function checkDescription(value, path) {
  const { name, command, pid, port, subscribe, publish } = /** @type {Partial<Description>} */ (value ?? {});
  const problem =
    typeof name !== "string"
      ? "name: a string"
      : !Array.isArray(command) && !(Number.isInteger(pid) && Number.isInteger(port))
        ? "command: an array of strings, or pid and port: integers"
        : typeof subscribe?.path !== "string"
          ? "subscribe.path: a string"
          : typeof publish?.path !== "string" || !publish.body?.includes("{data}")
            ? "publish.path and publish.body: strings, the body with {data}"
            : null;
  if (problem === null) return /** @type {Description} */ (value);
  throw new Error(`--hub ${path}: the default export of a description needs ${problem}; see bench/hubs/README.md`);
}

/** The requirement of a hub that this machine lacks, or `null`. @param {Description} description */
export function lackOf({ needs }) {
  if (needs === undefined || needs.programs.every(exists)) return null;
  return needs.from;
}

/** A running hub. It answers like a `Worker`, with what the kernel knows about its processes. */
export class Hub {
  #description;
  #port;
  #folder;
  #child;

  /** @param {Description} description @param {number} processor */
  static async start(description, processor) {
    const { name, files = {}, command, port = await freePort() } = description;
    if (command === undefined) return new Hub(description, port);
    const folder = mkdtempSync(join(tmpdir(), "sourcecast-hub-"));
    const filled = (/** @type {string} */ text) =>
      text.replaceAll("{folder}", folder).replaceAll("{port}", String(port));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), filled(text));
    const [program = "", ...args] = pinned(command.map(filled), processor);
    const hub = new Hub(description, port, folder, spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] }));
    for (let attempt = 0; !(await hub.#answers()); attempt++) {
      if (attempt === startAttempts || hub.#child?.exitCode !== null) {
        await hub.stop();
        throw new Error(`${name} did not start: ${command.join(" ")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, startPauseMs));
    }
    return hub;
  }

  /**
   * @param {Description} description
   * @param {number} port
   * @param {string} [folder]
   * @param {import("node:child_process").ChildProcess} [child]
   */
  constructor(description, port, folder, child) {
    this.#description = description;
    this.#port = port;
    this.#folder = folder;
    this.#child = child;
  }

  async hear() {
    const { subscribe, publish } = this.#description;
    return { port: this.#port, subscribe, publish };
  }

  /** @param {string} command @returns {Promise<any>} */
  async ask(command) {
    const pids = this.#processes();
    if (command === "cpu") return { cpu: total(pids, cpuOf) };
    return { heap: Number.NaN, rss: total(pids, residentOf) };
  }

  async stop() {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      // SIGKILL would leave the workers of a hub running.
      child.kill("SIGTERM");
      const deadline = setTimeout(() => child.kill("SIGKILL"), stopGraceMs);
      await gone;
      clearTimeout(deadline);
    }
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The process of the hub and all that it has started. */
  #processes() {
    const all = [Number(this.#child?.pid ?? this.#description.pid)];
    const parents = parentsOfAll();
    for (const pid of all) all.push(...parents.filter(({ parent }) => parent === pid).map(({ pid }) => pid));
    return all;
  }

  async #answers() {
    return fetch(`http://127.0.0.1:${this.#port}/`).then(
      () => true,
      () => false,
    );
  }
}

function parentsOfAll() {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const parent = /^PPid:\s+(\d+)/m.exec(statusOf(Number(name)))?.[1];
    return parent === undefined ? [] : [{ pid: Number(name), parent: Number(parent) }];
  });
}

/** @param {number} pid */
function residentOf(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(statusOf(pid))?.[1] ?? 0) * 1_024;
}

/** @param {number} pid */
function statusOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    // The process ended in the meantime.
    return "";
  }
}

/** @param {number[]} pids @param {(pid: number) => number} figure */
function total(pids, figure) {
  return pids.reduce((sum, pid) => sum + figure(pid), 0);
}

/** @param {string} program */
function exists(program) {
  if (program.includes("/")) return existsSync(program);
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
