// 1,000 answers at once, with a reader each: processor time for each token, and the bytes that it takes in the log.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { interleave } from "../lib/interleave.mjs";
import { cpuOf, Worker } from "../lib/process.mjs";
import { startRedis } from "../lib/redis.mjs";
import { format } from "../lib/table.mjs";
import { contenders } from "./contenders.mjs";

const answerCount = 1_000;
const tokensPerAnswer = 40;
/** Fifty tokens a second, as a fast model writes. */
const paceMs = 20;

/** @param {number} rounds */
export async function answers(rounds) {
  const redis = await startRedis();
  try {
    const results = await interleave(contenders, rounds, (name) => measure(name, redis), progress);
    print(results);
    return results;
  } finally {
    await redis.close();
  }
}

/** @param {string} name @param {import("../lib/redis.mjs").RedisServer} redis */
async function measure(name, redis) {
  await redis.client.sendCommand(["FLUSHALL"]);
  const server = new Worker("runs/server.mjs", { processor: 0 });
  try {
    const port = await server.ask("open", { contender: name, redisPort: redis.port });
    const readers = spawn(process.execPath, [
      join(import.meta.dirname, "../lib/readers.mjs"),
      `${port}`,
      `${answerCount}`,
    ]);
    await once(readers.stdout, "data");
    const before = cpuOf(redis.pid);
    const { cpu, wall } = await server.ask("produce", { count: tokensPerAnswer, paceMs, end: true });
    const store = cpuOf(redis.pid) - before;
    const { bytes, tokens } = await server.ask("close");
    readers.kill();
    const figures = { server: cpu / tokens, store: store / tokens, total: (cpu + store) / tokens };
    return { ...figures, perSecond: 1e6 / figures.total, bytes: bytes / tokens, wall };
  } finally {
    await server.stop();
  }
}

/** @param {import("../lib/interleave.mjs").Results} results */
function print(results) {
  console.log(`\n${answerCount} answers of ${tokensPerAnswer} tokens, one every ${paceMs} ms, with a reader each`);
  console.log(
    "  processor time for each token: the server, and Redis; tokens per second of one processor; bytes on the disk",
  );
  for (const [name, figures] of Object.entries(results)) {
    const at = (/** @type {string} */ figure) => format(figures[figure]?.median ?? Number.NaN);
    const cells = [`${at("server")} µs`, `${at("store")} µs`, `${at("perSecond")}/s`, `${at("bytes")} B`];
    console.log(`  ${name.padEnd(46)}${cells.map((cell) => cell.padStart(12)).join("")}`);
  }
}

/** @param {string} text */
function progress(text) {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
}
