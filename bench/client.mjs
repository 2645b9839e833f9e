// npm run bench:client: the client compared with other clients and with the browser's own, as ratios in one run.
import "../scripts/lib/bootstrap.mjs";
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ensureBrowser } from "../scripts/lib/browser.mjs";
import { build } from "../scripts/lib/build.mjs";
import { installPeers } from "./lib/install.mjs";
import { machine } from "./lib/machine.mjs";
import { rotated, summary } from "./lib/rounds.mjs";
import { printTable } from "./lib/table.mjs";

const quick = process.argv.includes("--quick");
const wanted = process.argv.slice(2).filter((arg) => !arg.startsWith("-"));
const rounds = quick ? 2 : 7;
const workloads = [
  { workload: "burst", count: 100_000 },
  { workload: "single", count: 10_000 },
];

installPeers();
if (!(await build()) || !(await ensureBrowser())) process.exit(1);
const { contenders } = await import("./client/contenders.mjs");
const { startServer } = await import("./client/server.mjs");
const { recovery, throughputInChromium } = await import("./client/browser.mjs");

const server = await startServer(workloads[0]?.count ?? 0);
/** @type {Record<string, unknown>} */
const figures = {};

/** @type {Record<string, () => Promise<unknown>>} */
const measures = {
  /** Each measurement is a process of its own, so that no client benefits from the code that another one has warmed up. */
  async node() {
    const names = Object.keys(contenders).filter((name) => name !== "the browser's own");
    /** @type {Record<string, unknown>} */
    const byWorkload = {};
    for (const { workload, count } of workloads) {
      const all = names.map((name) => ({
        name,
        seconds: /** @type {number[]} */ ([]),
        cpu: /** @type {number[]} */ ([]),
      }));
      for (let round = 0; round < rounds; round++) {
        for (const { name, seconds, cpu } of rotated(all, round)) {
          const one = await runProcess("node-process.mjs", name, `${server.origin}/${workload}`, String(count));
          seconds.push(one.seconds);
          cpu.push(one.cpu);
        }
      }
      const rows = all.map(({ name, seconds, cpu }) => ({
        name,
        eventsPerSecond: summary(seconds.map((time) => count / time)),
        cpu: summary(cpu),
      }));
      printThroughput(`Node, ${titleOf(workload)}`, rows);
      byWorkload[workload] = rows;
    }
    return byWorkload;
  },

  async chromium() {
    const byWorkload = await throughputInChromium(server.origin, workloads, quick ? 1 : 5);
    for (const [workload, rows] of Object.entries(byWorkload)) printThroughput(`Chromium, ${titleOf(workload)}`, rows);
    return byWorkload;
  },

  async recovery() {
    const times = await recovery(quick ? { pages: 5, outages: 2 } : { pages: 20, outages: 6 });
    const rows = Object.entries(times).map(([name, values]) => ({ name, ...percentiles(values) }));
    console.log("\nFrom the return of the network to the first missed event, in ms");
    for (const { name, p50, p99, count } of rows)
      console.log(`  ${name.padEnd(26)} p50 ${p50}  p99 ${p99}  (${count})`);
    return rows;
  },

  /** A server that stays connected and stops sending keep-alives, announced for every second. */
  async deadPeer() {
    const { subscribe } = await import("sourcecast/client");
    const times = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const stream = subscribe(`${server.origin}/silent`, { share: false });
        let start = 0;
        stream.on("price", () => {
          start = performance.now();
        });
        const time = await new Promise((resolve) =>
          stream.onStatus(({ state }) => state === "retrying" && resolve(performance.now() - start)),
        );
        stream.close();
        return Number(time);
      }),
    );
    const result = percentiles(times);
    console.log(
      `\nA dead peer is noticed after ${result.p50} ms (p50), ${result.p99} ms (p99), with keep-alives of 1,000 ms`,
    );
    return result;
  },

  async heap() {
    const names = ["sourcecast: subscribe()", "sourcecast: EventSource", "eventsource 5", "eventsource-client"];
    const rows = [];
    console.log("\nHeap after 2,000 and after 10,000 reconnects, in kB");
    for (const name of names) {
      const heaps = await runProcess("heap-process.mjs", name, `${server.origin}/end`);
      const [early, late] = heaps.map((/** @type {number} */ bytes) => Math.round(bytes / 1024));
      console.log(`  ${name.padEnd(26)} ${early}  ${late}`);
      rows.push({ name, early, late });
    }
    return rows;
  },

  /** A page with a hundred components that each subscribe. */
  async sharing() {
    const { subscribe } = await import("sourcecast/client");
    const before = server.streams;
    const streams = Array.from({ length: 100 }, () => subscribe(`${server.origin}/silent`, { share: "page" }));
    await Promise.all(streams.map((stream) => new Promise((resolve) => stream.on("price", resolve))));
    const connections = server.streams - before;
    for (const stream of streams) stream.close();
    console.log(`\n100 subscriptions of a page use ${connections} connection`);
    return { subscriptions: 100, connections };
  },
};

for (const [name, measure] of Object.entries(measures)) {
  if (wanted.length === 0 || wanted.includes(name)) figures[name] = await measure();
}
await server.stop();
if (!quick && wanted.length === 0) {
  const folder = fileURLToPath(new URL("./results/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}client.json`, `${JSON.stringify({ machine: machine(), ...figures }, round, 2)}\n`);
}
process.exit();

/** @param {string} script @param {string[]} args @returns {Promise<any>} */
async function runProcess(script, ...args) {
  const path = fileURLToPath(new URL(`./client/${script}`, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", path, ...args], { timeout: 300_000 });
  return JSON.parse(stdout);
}

/** @param {string} title @param {any[]} rows */
function printThroughput(title, rows) {
  printTable(
    title,
    "events/s",
    rows.map(({ name, eventsPerSecond }) => ({ name, ...eventsPerSecond })),
  );
  printTable(
    `${title}, processor time per event`,
    "µs",
    rows.map(({ name, cpu }) => ({ name, ...cpu })),
  );
}

/** @param {string} workload */
function titleOf(workload) {
  return workload === "burst" ? "events in large chunks" : "a chunk for each event";
}

/** @param {number[]} values */
function percentiles(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ share) => Math.round(sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN);
  return { p50: at(0.5), p99: at(0.99), count: sorted.length };
}

/** Four digits say all that there is. @param {string} _key @param {unknown} value */
function round(_key, value) {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
