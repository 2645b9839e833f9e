import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import Database from "better-sqlite3";
import { memoryLog } from "../../dist/logs/memory/index.js";
import { sqliteLog } from "../../dist/logs/sqlite/index.js";
import { compete } from "../lib/rounds.mjs";
import { printTable } from "../lib/table.mjs";

const data = JSON.stringify({
  text: "An event of about a hundred bytes, as a chat or a price ticker has them.",
  from: 1234,
});
const entry = (/** @type {number} */ i) => ({ channel: `channel/${i % 100}`, type: "message", data });

/** Each publish waits for the previous one. */
export async function oneByOne() {
  print("One by one", await rates(1, 600, 7));
}

/** A thousand events in one tick, then the next thousand. */
export async function inBursts() {
  print("In bursts of 1,000", await rates(1_000, 12, 7));
}

/**
 * The same, for the table of all benchmarks.
 *
 * @param {number} burst
 * @param {number} bursts
 * @param {number} rounds
 * @returns {Promise<import("../lib/interleave.mjs").Results>}
 */
export async function inGroups(burst, bursts, rounds) {
  const results = await rates(burst, bursts, rounds);
  return Object.fromEntries(results.map(({ name, ...rate }) => [name, { rate }]));
}

/** @param {string} title @param {Awaited<ReturnType<typeof rates>>} results */
function print(title, results) {
  printTable(`${title} (events of ${data.length} bytes, 100 channels)`, "events/s", results);
}

/** Events a second. @param {number} burst @param {number} bursts @param {number} rounds */
async function rates(burst, bursts, rounds) {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-bench-"));
  const path = (/** @type {string} */ name) => join(folder, name);
  const better = new Database(path("better.db"));
  const logs = {
    memory: memoryLog(),
    "SQLite, durable to the end of the process": sqliteLog({ path: path("process.db") }),
    "SQLite, the same and 1,000 events kept": sqliteLog({ path: path("kept.db"), maxEvents: 1_000 }),
    "SQLite, the same by better-sqlite3": sqliteLog({ database: better }),
    "SQLite, durable to the loss of power": sqliteLog({ path: path("power.db"), durability: "power" }),
  };
  const contenders = Object.entries(logs).map(([name, log]) => ({ name, run: () => publish(log, burst, bursts) }));
  const results = await compete([...contenders, ...handWritten(path, burst === 1 ? bursts : 600)], rounds);
  for (const log of Object.values(logs)) await log.close();
  better.close();
  rmSync(folder, { recursive: true, force: true });
  return results.map(({ name, median, low, high, rounds }) => ({
    name,
    median: 1 / median,
    low: 1 / high,
    high: 1 / low,
    rounds,
  }));
}

/** Seconds for each event. @param {import("../../dist/log/log.js").Log} log @param {number} burst @param {number} bursts */
async function publish(log, burst, bursts) {
  const start = performance.now();
  for (let i = 0; i < bursts; i++) {
    const calls = [];
    for (let n = 0; n < burst; n++) calls.push(log.append([entry(n)]));
    await Promise.all(calls);
  }
  return (performance.now() - start) / 1_000 / (burst * bursts);
}

/** Control without a log: one row in one transaction, and one write that reaches the disk. */
function handWritten(/** @type {(name: string) => string} */ path, /** @type {number} */ count) {
  const database = new DatabaseSync(path("hand.db"));
  database.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE t (id INTEGER PRIMARY KEY, data TEXT)",
  );
  const insert = database.prepare("INSERT INTO t (data) VALUES (?)");
  const file = openSync(path("hand.txt"), "a");
  process.once("exit", () => closeSync(file));
  const timed = (/** @type {() => void} */ work) => () => {
    const start = performance.now();
    for (let i = 0; i < count; i++) work();
    return (performance.now() - start) / 1_000 / count;
  };
  return [
    { name: "by hand: node:sqlite, a transaction for each row", run: timed(() => insert.run(data)) },
    {
      name: "by hand: write and fsync",
      run: timed(() => {
        writeSync(file, data);
        fsyncSync(file);
      }),
    },
  ];
}
