import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteLog } from "../../dist/logs/sqlite.js";
import { compete } from "../lib/rounds.mjs";
import { printTable } from "../lib/table.mjs";

const sizes = [1_000, 1_000_000];

/** Replay of a channel with one event, which must cost the same whatever else the log holds. */
export async function quietChannel() {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-bench-"));
  const logs = sizes.map((size) => sqliteLog({ path: join(folder, `${size}.db`), maxEvents: 2_000_000 }));
  for (const [i, log] of logs.entries()) await fill(log, sizes[i]);
  const [small, large] = logs;
  const quiet = { channels: ["quiet"], prefixes: [] };
  const contenders = [
    { name: "one event among 1,000", run: () => timed(() => small.read(0, 1_000, quiet)) },
    { name: "one event among 1,000,000", run: () => timed(() => large.read(0, 1_000, quiet)) },
    { name: "a page of 1,000 of all channels", run: () => timed(() => large.read(0, 1_000)) },
  ];
  printTable("Replay of a quiet channel, SQLite", "µs", await compete(contenders, 15));
  for (const log of logs) await log.close();
  rmSync(folder, { recursive: true, force: true });
}

/** @param {import("../../dist/logs/log.js").Log} log @param {number} size */
async function fill(log, size) {
  const block = Math.min(size, 10_000);
  for (let done = 0; done < size; done += block) {
    const entries = Array.from({ length: block }, (_, i) => ({
      channel: `noise/${i % 100}`,
      type: "message",
      data: "data",
    }));
    if (done === Math.floor(size / block / 2) * block) entries[block >> 1].channel = "quiet";
    await log.append(entries);
  }
}

/** Microseconds for each of some runs. @param {() => Promise<unknown>} work */
async function timed(work) {
  const start = performance.now();
  for (let i = 0; i < 20; i++) await work();
  return ((performance.now() - start) * 1_000) / 20;
}
