import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteLog } from "../../dist/logs/sqlite/index.js";
import { compete } from "../lib/rounds.mjs";
import { printTable } from "../lib/table.mjs";

/** Replay of a channel with one event, which must cost the same whatever else the log holds. */
export async function quietChannel() {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-bench-"));
  const small = await filled(join(folder, "small.db"), 1_000);
  const large = await filled(join(folder, "large.db"), 1_000_000);
  const page = { limit: 1_000, maxBytes: 1024 ** 2, conflate: true };
  const quiet = { ...page, selection: { channels: ["quiet"], prefixes: [] } };
  const contenders = [
    { name: "one event among 1,000", run: () => timed(() => small.read(0, quiet)) },
    { name: "one event among 1,000,000", run: () => timed(() => large.read(0, quiet)) },
    { name: "a page of 1,000 of all channels", run: () => timed(() => large.read(0, page)) },
  ];
  printTable("Replay of a quiet channel, SQLite", "µs", await compete(contenders, 15));
  await small.close();
  await large.close();
  rmSync(folder, { recursive: true, force: true });
}

/** A log of a hundred channels, with one event of another in the middle. @param {string} path @param {number} size */
async function filled(path, size) {
  const log = sqliteLog({ path, maxEvents: 2 * size });
  const noise = (/** @type {number} */ i) => ({ channel: `noise/${i % 100}`, type: "message", data: "data" });
  const block = Math.min(size, 10_000) / 2;
  for (let done = 0; done < size; done += block) {
    if (done === size / 2) await log.append([{ ...noise(0), channel: "quiet" }]);
    await log.append(Array.from({ length: block }, (_, i) => noise(i)));
  }
  return log;
}

/** Microseconds for each of some runs. @param {() => Promise<unknown>} work */
async function timed(work) {
  const start = performance.now();
  for (let i = 0; i < 20; i++) await work();
  return ((performance.now() - start) * 1_000) / 20;
}
