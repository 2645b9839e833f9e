// The log on Redis, compared with the same done by hand: XADD, and XREAD in another process.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { redisLog } from "../../dist/logs/redis/index.js";
import { startRedis } from "../lib/redis.mjs";
import { compete } from "../lib/rounds.mjs";
import { printTable } from "../lib/table.mjs";

const data = JSON.stringify({
  text: "An event of about a hundred bytes, as a chat or a price ticker has them.",
  from: 1234,
});
const stream = "by-hand";

/** @typedef {import("../lib/redis.mjs").RedisServer} Server */

/** Publishes one by one and in bursts, the delay until another process has an event, and memory for each event. */
export async function redis() {
  const server = await startRedis();
  try {
    await rates(server, "One by one", 1, 600);
    await rates(server, "In bursts of 1,000", 1_000, 12);
    await delays(server);
    await memory(server);
  } finally {
    await server.close();
  }
}

/** @param {Server} server @param {string} title @param {number} burst @param {number} bursts */
async function rates({ client }, title, burst, bursts) {
  const kept = redisLog({ client, key: `kept-${burst}`, maxEvents: 1_000_000 });
  const trimmed = redisLog({ client, key: `trimmed-${burst}`, maxEvents: 1_000 });
  /** @param {(i: number) => Promise<unknown>} publish @returns {() => Promise<number>} seconds for each event */
  const timed = (publish) => async () => {
    const start = performance.now();
    for (let i = 0; i < bursts; i++) await Promise.all(Array.from({ length: burst }, (_, n) => publish(n)));
    return (performance.now() - start) / 1_000 / (burst * bursts);
  };
  const results = await compete(
    [
      { name: "by hand: XADD", run: timed(() => client.sendCommand(["XADD", stream, "*", "data", data])) },
      { name: "Redis", run: timed((n) => kept.append([entry(n)])) },
      { name: "Redis, 1,000 events kept", run: timed((n) => trimmed.append([entry(n)])) },
    ],
    7,
  );
  const perSecond = results.map(({ name, median, low, high }) => ({
    name,
    median: 1 / median,
    low: 1 / high,
    high: 1 / low,
  }));
  printTable(`${title} on Redis (events of ${data.length} bytes, 100 channels)`, "events/s", perSecond);
  for (const log of [kept, trimmed]) await log.close();
}

/** @param {Server} server */
async function delays({ port, client }) {
  console.log("\nFrom the publish in one process to the reader in another, Redis");
  for (const { pause, events } of [
    { pause: 2, events: 2_000 },
    { pause: 50, events: 100 },
  ]) {
    for (const kind of ["by hand", "the log"]) {
      const found = (await delaysOf(port, client, kind, pause, events)).sort((a, b) => a - b);
      const at = (/** @type {number} */ share) => (found[Math.floor((found.length - 1) * share)] ?? 0).toFixed(2);
      console.log(`  one every ${pause} ms, ${kind}: median ${at(0.5)} ms, 99 % within ${at(0.99)} ms`);
    }
  }
}

/**
 * @param {number} port
 * @param {Server["client"]} client
 * @param {string} kind
 * @param {number} pause
 * @param {number} events
 * @returns {Promise<number[]>} milliseconds
 */
async function delaysOf(port, client, kind, pause, events) {
  /** @type {number[]} */
  const found = [];
  const key = `delays-${kind}-${pause}`;
  // All processes share the monotonic clock.
  const add = (/** @type {string} */ time) => void found.push(Number(process.hrtime.bigint() - BigInt(time)) / 1e6);
  const end = kind === "by hand" ? await followByHand(client, key, add) : await followLog(client, key, add);
  const args = [
    join(import.meta.dirname, "redis-publisher.mjs"),
    String(port),
    kind,
    key,
    String(pause),
    String(events),
  ];
  await once(spawn(process.execPath, args, { stdio: "inherit" }), "exit");
  while (found.length < events) await new Promise((resolve) => setTimeout(resolve, 20));
  await end();
  return found;
}

/** @param {Server["client"]} client @param {string} key @param {(time: string) => void} add */
async function followLog(client, key, add) {
  const log = redisLog({ client, key });
  const { epoch, top, witness } = await log.head();
  const onEntries = (/** @type {{ entries: readonly { data: string }[] }} */ batch) => {
    for (const { data: time } of batch.entries) add(time);
  };
  log.tail({ epoch, offset: top, witness }, onEntries, console.error);
  return () => log.close();
}

/** @param {Server["client"]} client @param {string} key @param {(time: string) => void} add */
async function followByHand(client, key, add) {
  const reader = client.duplicate();
  reader.on("error", () => {});
  await reader.connect();
  let last = "0-0";
  let isOpen = true;
  const loop = async () => {
    while (isOpen) {
      const args = ["XREAD", "COUNT", "256", "BLOCK", "1000", "STREAMS", key, last];
      const reply = /** @type {any} */ (await reader.sendCommand(args));
      for (const [id, fields] of reply?.[0]?.[1] ?? []) {
        last = id;
        add(fields[1]);
      }
    }
  };
  const done = loop().catch(() => {});
  return async () => {
    isOpen = false;
    reader.destroy();
    await done;
  };
}

/** @param {Server} server */
async function memory({ client }) {
  const used = async () => Number(/used_memory:(\d+)/.exec(String(await client.sendCommand(["INFO", "memory"])))?.[1]);
  const count = 50_000;
  const key = "memory";
  const log = redisLog({ client, key });
  await log.head();
  const before = await used();
  for (let i = 0; i < count; i += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => log.append([entry(n)])));
  }
  const between = await used();
  for (let i = 0; i < count; i += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, () => client.sendCommand(["XADD", key, "*", "data", data])));
  }
  const each = (/** @type {number} */ bytes) => Math.round(bytes / count);
  console.log(`\nMemory of Redis for an event of ${data.length} bytes, 100 channels`);
  console.log(`  by hand: ${each((await used()) - between)} B, the log: ${each(between - before)} B`);
  await log.close();
}

/** @param {number} i */
function entry(i) {
  return { channel: `channel/${i % 100}`, type: "message", data };
}
