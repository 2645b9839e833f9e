import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteLog } from "../../dist/logs/sqlite/index.js";

/** The delay until an event reaches the tail of another process, at one event every 20 ms and one every half second. */
export async function acrossProcesses() {
  console.log("\nFrom the publish in one process to the tail of another, SQLite");
  const paces = [
    { pause: 20, events: 400 },
    { pause: 500, events: 16 },
  ];
  for (const { pause, events } of paces) {
    const delays = (await delaysOf(pause, events)).sort((a, b) => a - b);
    const at = (/** @type {number} */ share) => (delays[Math.floor((delays.length - 1) * share)] ?? 0).toFixed(1);
    console.log(`  one every ${pause} ms: median ${at(0.5)} ms, 99 % within ${at(0.99)} ms`);
  }
}

/** @param {number} pause @param {number} events @returns {Promise<number[]>} milliseconds */
async function delaysOf(pause, events) {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-bench-"));
  const path = join(folder, "events.db");
  const log = sqliteLog({ path });
  const { epoch, top, witness } = await log.head();
  /** @type {number[]} */
  const delays = [];
  const { promise, resolve } = Promise.withResolvers();
  log.tail(
    { epoch, offset: top, witness },
    ({ entries }) => {
      // All processes share the monotonic clock.
      for (const { data } of entries) delays.push(Number(process.hrtime.bigint() - BigInt(data)) / 1e6);
      if (delays.length >= events) resolve(undefined);
    },
    console.error,
  );
  const args = [join(import.meta.dirname, "publisher.mjs"), path, String(pause), String(events)];
  const publisher = spawn(process.execPath, args, { stdio: "inherit" });
  // A tail alone does not keep a process alive.
  const alive = setInterval(() => {}, 1_000);
  await Promise.all([promise, once(publisher, "exit")]);
  clearInterval(alive);
  await log.close();
  rmSync(folder, { recursive: true, force: true });
  return delays;
}
