// A store as the benchmarks of logs see it: the log on it, and the same written by hand.
import { readdirSync, readlinkSync } from "node:fs";
import { cpuOf } from "../../lib/process.mjs";

/**
 * @typedef {object} Store
 * @property {string} name
 * @property {string} byHand what the control does
 * @property {() => Promise<{ port: number, folder: string, [Symbol.asyncDispose](): Promise<void> }>} start an empty server
 * @property {(port: number) => Promise<Session>} connect
 *
 * @typedef {object} Session Connections of one process to the server.
 * @property {(name: string, retention?: import("../../../dist/log/log.js").Retention) => import("../../../dist/log/log.js").Log} log
 * @property {(name: string) => Promise<ByHand>} byHand creates what the control needs, if it is not there
 * @property {(what: { log: string } | { byHand: string }, folder: string) => Promise<Size>} size
 * @property {() => Promise<void>} close
 *
 * @typedef {object} ByHand
 * @property {(data: string, channel?: string) => Promise<unknown>} publish
 * @property {((data: string, count: number) => Promise<unknown>) | null} publishAll several events in one call, `null` where
 * the calls of a tick leave together anyway
 * @property {(add: (data: string) => void) => Promise<() => Promise<void>>} follow everything that is published from now on
 * @property {(channel: string) => Promise<string[]>} read everything of one channel
 *
 * @typedef {{ memory?: number, disk?: number }} Size In bytes.
 */

/** An event of about a hundred bytes. */
export const data = JSON.stringify({
  text: "An event of about a hundred bytes, as a chat or a price ticker has them.",
  from: 1234,
});

/** @param {number} i @param {string} text @returns {import("../../../dist/log/log.js").NewEntry} one of a hundred channels */
export function entry(i, text = data) {
  return { channel: `channel/${i % 100}`, type: "message", data: text };
}

/**
 * Microseconds of processor time that the processes of a server have taken, those that still run.
 *
 * @param {string} folder of the server, in which its processes work: Redis and PostgreSQL change their command lines
 * @returns {Map<number, number>} by process
 */
export function serverCpu(folder) {
  /** @type {Map<number, number>} */
  const found = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)) found.set(Number(pid), cpuOf(Number(pid)));
    } catch {
      // It belongs to another user, or has ended in between.
    }
  }
  return found;
}

/** The difference between two results of `serverCpu`. @param {Map<number, number>} before @param {Map<number, number>} after */
export function cpuBetween(before, after) {
  let sum = 0;
  for (const [pid, cpu] of after) sum += cpu - (before.get(pid) ?? 0);
  return sum;
}
