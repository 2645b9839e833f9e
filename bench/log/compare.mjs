// A log on a database, compared with the same written by hand on the same server: the cost of publishing, the delay until another
// process has the event, a storm of reconnecting clients, and the size of an event.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { interleave } from "../lib/interleave.mjs";
import { summary } from "../lib/rounds.mjs";
import { printFigures } from "../lib/table.mjs";
import { stores } from "./stores/index.mjs";
import { cpuBetween, data, entry, serverCpu } from "./stores/store.mjs";
import { storm } from "./storm.mjs";

/** @typedef {import("./stores/store.mjs").Session} Session */
/** @typedef {{ store: import("./stores/store.mjs").Store, key: string, port: number, folder: string, session: Session }} Bench */

export const redis = () => compare("redis");
export const nats = () => compare("nats");
export const postgres = () => compare("postgres");

const rounds = 5;
const pairs = 3;
/** The events of each contender before the first that is counted. V8 compiles for some six thousand of them, the control for three. */
const warmUpEvents = 8_000;
/** After how many milliseconds an event that has not arrived is lost. */
const lostAfterMs = 3_000;
const sizeEvents = 50_000;
const byHand = "by hand";
/** By hand, with all events of the burst in one call. */
const inOneCall = "by hand, one call";
const log = "the log";

/** @param {string} key */
async function compare(key) {
  const store = /** @type {import("./stores/store.mjs").Store} */ (stores[key]);
  await using server = await store.start();
  const { port, folder } = server;
  const session = await store.connect(port);
  /** @type {Bench} */
  const bench = { store, key, port, folder, session };
  try {
    console.log(`\n${store.name}; by hand: ${store.byHand}. Events of ${data.length} bytes, 100 channels`);
    const alone = await publishing(bench, "One by one", 1, 600);
    const bursts = await publishing(bench, "In bursts of 1,000", 1_000, 12);
    const rate = 500_000 / (alone[log]?.wall?.median ?? Number.NaN);
    const idle = await delays(bench, "Idle", 20, 100);
    const busy = await delays(bench, "Half load", rate, Math.ceil(rate * 2));
    await storm(bench);
    await sizes(bench);
    printGoals([
      ["one by one", ratio(alone, log, byHand, "wall"), ratio(alone, log, byHand, "total"), 1.3],
      ["bursts", ratio(bursts, log, byHand, "wall"), ratio(bursts, log, byHand, "total"), 1.5],
      ...(inOneCall in bursts
        ? [
            /** @type {Goal} */ ([
              "bursts, by hand in one call",
              ratio(bursts, log, inOneCall, "wall"),
              ratio(bursts, log, inOneCall, "total"),
              1.5,
            ]),
          ]
        : []),
      ["latency p99, idle", ratio(idle, log, byHand, "p99"), null, 1.5],
      ["latency p99, half load", ratio(busy, log, byHand, "p99"), null, 1.5],
    ]);
  } finally {
    await session.close();
  }
}

/** Microseconds for each event: by the clock, and of the processor. @param {Bench} bench @param {string} title @param {number} burst @param {number} bursts */
async function publishing({ session, folder }, title, burst, bursts) {
  const own = session.log(`rate-${burst}`);
  const hand = await session.byHand(`rate-${burst}`);
  await own.head();
  const each = (/** @type {(i: number) => Promise<unknown>} */ publish) => () =>
    Promise.all(Array.from({ length: burst }, (_, i) => publish(i)));
  /** @type {Record<string, () => Promise<unknown>>} */
  const contenders = { [byHand]: each(() => hand.publish(data)), [log]: each((i) => own.append([entry(i)])) };
  const { publishAll } = hand;
  if (publishAll !== null && burst > 1) contenders[inOneCall] = () => publishAll(data, burst);
  const measure = async (/** @type {string} */ name) => {
    const run = /** @type {() => Promise<unknown>} */ (contenders[name]);
    const [server, own, start] = [serverCpu(folder), process.cpuUsage(), performance.now()];
    for (let i = 0; i < bursts; i++) await run();
    const wall = performance.now() - start;
    const { user, system } = process.cpuUsage(own);
    const events = burst * bursts;
    const publisher = (user + system) / events;
    const database = cpuBetween(server, serverCpu(folder)) / events;
    return { wall: (wall * 1_000) / events, publisher, database, total: publisher + database };
  };
  for (let events = 0; events < warmUpEvents; events += burst * bursts) {
    for (const name of Object.keys(contenders)) await measure(name);
  }
  const results = await interleave(Object.keys(contenders), rounds, measure, () => {});
  printFigures(title, results, {
    wall: "µs",
    publisher: "µs of processor",
    database: "µs of processor",
    total: "µs of processor",
  });
  await own.close();
  return results;
}

/** Milliseconds from the publish in another process to this one. @param {Bench} bench @param {string} title @param {number} rate @param {number} count */
async function delays(bench, title, rate, count) {
  let run = 0;
  const measure = async (/** @type {string} */ contender) => {
    const all = await delaysOf(
      bench,
      contender,
      `delay-${title.replace(" ", "-").toLowerCase()}-${run++}`,
      rate,
      count,
    );
    const sorted = all.sort((a, b) => a - b);
    const at = (/** @type {number} */ share) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
    return { p50: at(0.5), p99: at(0.99) };
  };
  const results = await interleave([byHand, log], pairs, measure, () => {});
  printFigures(`${title}: to another process, ${Math.round(rate)} events/s`, results, { p50: "ms", p99: "ms" });
  return results;
}

/**
 * @param {Bench} bench
 * @param {string} contender
 * @param {string} name
 * @param {number} rate
 * @param {number} count
 * @returns {Promise<number[]>}
 */
async function delaysOf({ session, key, port }, contender, name, rate, count) {
  /** @type {number[]} */
  const found = [];
  // All processes share the monotonic clock.
  const add = (/** @type {string} */ time) => void found.push(Number(process.hrtime.bigint() - BigInt(time)) / 1e6);
  const end =
    contender === byHand ? await (await session.byHand(name)).follow(add) : await followLog(session.log(name), add);
  const kind = contender === byHand ? byHand : "log";
  const args = [join(import.meta.dirname, "store-publisher.mjs"), key, `${port}`, kind, name, `${rate}`, `${count}`];
  const publisher = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  await text(publisher.stdout);
  const deadline = performance.now() + lostAfterMs;
  while (found.length < count && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  // By hand on PostgreSQL, a row that is committed after one with a higher id is skipped.
  if (found.length < count) console.log(`  ${contender}: ${count - found.length} of ${count} events did not arrive`);
  await end();
  return found;
}

/** @param {import("../../dist/log/log.js").Log} log @param {(data: string) => void} add */
export async function followLog(log, add) {
  const { epoch, top, witness } = await log.head();
  const tail = log.tail(
    { epoch, offset: top, witness },
    ({ entries }) => entries.forEach(({ data }) => void add(data)),
    console.error,
  );
  return async () => {
    tail.close();
    await log.close();
  };
}

/** Bytes of an event in memory and on disk. @param {Bench} bench */
async function sizes({ session, folder, store }) {
  const own = session.log("size", { maxEvents: 2 * sizeEvents });
  const hand = await session.byHand("size");
  await own.head();
  const [log0, hand0] = [await session.size({ log: "size" }, folder), await session.size({ byHand: "size" }, folder)];
  await filled((i) => own.append([entry(i)]));
  const log1 = await session.size({ log: "size" }, folder);
  const between = await session.size({ byHand: "size" }, folder);
  await filled((i) => hand.publish(data, store.name === "Redis" ? undefined : `channel-${i % 100}`));
  const hand1 = await session.size({ byHand: "size" }, folder);
  await own.close();
  // On Redis, a size is that of everything on the server.
  const base = hand0.memory === undefined ? hand0 : between;
  console.log(`\nThe size of an event`);
  for (const place of /** @type {const} */ (["memory", "disk"])) {
    const [a, b, c, d] = [base[place], hand1[place], log0[place], log1[place]];
    if (a === undefined || b === undefined || c === undefined || d === undefined) continue;
    console.log(
      `  ${place}: by hand ${Math.round((b - a) / sizeEvents)} B, the log ${Math.round((d - c) / sizeEvents)} B`,
    );
  }
}

/** @param {(i: number) => Promise<unknown>} publish */
async function filled(publish) {
  for (let i = 0; i < sizeEvents; i += 1_000) {
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => publish(n)));
  }
}

/** @param {import("../lib/interleave.mjs").Results} results @param {string} name @param {string} control @param {string} figure */
function ratio(results, name, control, figure) {
  const of = (/** @type {string} */ contender) => (results[contender]?.[figure] ?? summary([])).median;
  return of(name) / of(control);
}

/** @typedef {[title: string, clock: number, processor: number | null, most: number]} Goal */

/** @param {Goal[]} goals */
function printGoals(goals) {
  console.log("\nGoals, as ratios to the control");
  for (const [title, clock, processor, most] of goals) {
    const cpu = processor === null ? "" : `, by processor time ${processor.toFixed(2)} ×`;
    console.log(
      `  ${title}: at most ${most} ×, measured ${clock.toFixed(2)} × by the clock${cpu}${clock <= most ? "" : ": missed"}`,
    );
  }
}
