// A page is reloaded in the middle of an answer: the processor time and the delay until its reader has a token again.
import { get } from "node:http";
import { interleave } from "../lib/interleave.mjs";
import { cpuOf, Worker } from "../lib/process.mjs";
import { startRedis } from "../lib/redis.mjs";
import { summary } from "../lib/rounds.mjs";
import { format } from "../lib/table.mjs";
import { contenders } from "./contenders.mjs";

const tokensBefore = 300;
const reloadCount = 200;

/** @param {number} rounds */
export async function reloads(rounds) {
  const redis = await startRedis();
  const names = contenders.filter((name) => name !== "pipe" && !name.endsWith("first reader"));
  try {
    const results = await interleave(
      names,
      rounds,
      (name) => measure(name, redis),
      () => {},
    );
    console.log(
      `\nA reload after ${tokensBefore} tokens: processor time of the server and of Redis; delay until the first token`,
    );
    for (const [name, { cpu, store, delay }] of Object.entries(results)) {
      const cells = [
        `${format(cpu?.median ?? 0)} µs`,
        `${format(store?.median ?? 0)} µs`,
        `${format(delay?.median ?? 0)} ms`,
      ];
      console.log(`  ${name.padEnd(46)}${cells.map((cell) => cell.padStart(12)).join("")}`);
    }
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
    const first = await read(port, "/");
    await server.ask("produce", { count: tokensBefore, paceMs: 5, end: false });
    const before = { cpu: await server.ask("cpu"), store: cpuOf(redis.pid) };
    /** @type {number[]} */
    const delays = [];
    for (let reload = 0; reload < reloadCount; reload++) {
      const start = performance.now();
      const { leave, token } = await read(port, "/resume");
      await token;
      delays.push(performance.now() - start);
      leave();
    }
    const cpu = ((await server.ask("cpu")) - before.cpu) / reloadCount;
    const store = (cpuOf(redis.pid) - before.store) / reloadCount;
    first.leave();
    await server.ask("close");
    return { cpu, store, delay: summary(delays).median };
  } finally {
    await server.stop();
  }
}

/** @param {number} port @param {string} path */
async function read(port, path) {
  const { promise: token, resolve } = Promise.withResolvers();
  const request = get({ port, path, host: "127.0.0.1", agent: false }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (/** @type {string} */ part) => {
      if (text.length < 10_000) text += part;
      if (text.includes("text-delta")) resolve(null);
    });
    response.on("error", () => {});
  });
  request.on("error", () => {});
  await new Promise((opened) => request.once("response", opened));
  return { token, leave: () => request.destroy() };
}
