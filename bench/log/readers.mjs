// How many events a log can carry: the processor time that an event takes of the store, of its publisher, and of each process that
// reads the log. Processor time says what is used up first, also on a machine that does other things.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { sqliteLog } from "../../dist/logs/sqlite/index.js";
import { interleave } from "../lib/interleave.mjs";
import { printFigures } from "../lib/table.mjs";
import { stores } from "./stores/index.mjs";
import { cpuBetween, entry, serverCpu } from "./stores/store.mjs";

const counts = [0, 1, 4];
const rounds = 3;
/** Events that are published together, and how often in a run. */
const loads = [
  { burst: 1, bursts: 300 },
  { burst: 10, bursts: 100 },
  { burst: 1_000, bursts: 5 },
];

/** With no reader, one, and several, on each engine. */
export async function readers(engines = ["sqlite", "redis", "nats", "postgres"]) {
  for (const key of engines) await readersOf(key);
}

/** @param {string} key */
async function readersOf(key) {
  const server =
    key === "sqlite" ? null : await /** @type {import("./stores/store.mjs").Store} */ (stores[key]).start();
  const folder = server?.folder ?? mkdtempSync(join(tmpdir(), "sourcecast-bench-"));
  const place = server === null ? join(folder, "events.db") : `${server.port}`;
  const { log, close } = await openLog(key, place);
  await log.head();
  try {
    for (const { burst, bursts } of loads) {
      const events = burst * bursts;
      const results = await interleave(
        counts.map((count) => `${count} reader${count === 1 ? "" : "s"}`),
        rounds,
        async (contender) => {
          const all = await Promise.all(
            Array.from({ length: Number.parseInt(contender, 10) }, () => Reader.start(key, place)),
          );
          const [database, own] = [serverCpu(folder), process.cpuUsage()];
          const start = performance.now();
          for (let i = 0; i < bursts; i++)
            await Promise.all(Array.from({ length: burst }, (_, n) => log.append([entry(n)])));
          const wall = performance.now() - start;
          const { user, system } = process.cpuUsage(own);
          // A reader answers when it has received all of them.
          const used = await Promise.all(all.map((reader) => reader.received(events)));
          const after = serverCpu(folder);
          const each = used.reduce((sum, cpu) => sum + cpu, 0) / Math.max(1, used.length);
          for (const reader of all) await reader.stop();
          return {
            database: cpuBetween(database, after) / events,
            publisher: (user + system) / events,
            reader: each / events,
            wall: (wall * 1_000) / events,
          };
        },
        () => {},
      );
      printFigures(`${key}, ${burst} at a time`, results, {
        database: "µs of processor",
        publisher: "µs of processor",
        reader: "µs of processor",
        wall: "µs",
      });
    }
  } finally {
    await close();
    await server?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} key @param {string} place the port of the server, or the file @returns a log of 10,000 events */
export async function openLog(key, place) {
  const retention = { maxEvents: 10_000 };
  if (key === "sqlite") {
    const log = sqliteLog({ path: place, ...retention });
    return { log, close: () => log.close() };
  }
  const session = await /** @type {import("./stores/store.mjs").Store} */ (stores[key]).connect(Number(place));
  const log = session.log("readers", retention);
  return {
    log,
    async close() {
      await log.close();
      await session.close();
    },
  };
}

/** A process that follows the log. */
class Reader {
  #child;
  /** @type {AsyncIterator<string>} */
  #lines;

  /** Resolves when it follows. @param {string} key @param {string} place */
  static async start(key, place) {
    const reader = new Reader([join(import.meta.dirname, "store-reader.mjs"), key, place]);
    await reader.#lines.next();
    return reader;
  }

  /** @param {string[]} args */
  constructor(args) {
    this.#child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Waits for that many events. @param {number} count @returns {Promise<number>} microseconds of processor time since the start */
  async received(count) {
    this.#child.stdin.write(`${count}\n`);
    return Number((await this.#lines.next()).value);
  }

  async stop() {
    const exit = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.stdin.end();
    await exit;
  }
}
