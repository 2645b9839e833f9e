// Clients in Chromium: throughput, and the time from the return of the network to the first missed event.
import { once } from "node:events";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { createHub } from "sourcecast";
import { respond } from "sourcecast/node";
import { summary } from "../lib/rounds.mjs";

const native = "the browser's own";

/** The contenders as one script, which a page evaluates. */
async function script() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("./contenders.mjs", import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    globalName: "clients",
    target: "es2023",
  });
  return `${outputFiles[0]?.text}; globalThis.clients = clients;`;
}

/**
 * Processor time of all processes of the browser, in microseconds for each event, and seconds.
 *
 * @param {string} origin
 * @param {readonly { workload: string, count: number }[]} workloads
 * @param {number} rounds
 */
export async function throughputInChromium(origin, workloads, rounds) {
  const browser = await chromium.launch({
    executablePath: /** @type {string} */ (process.env.CHROMIUM_PATH),
    args: ["--no-sandbox"],
  });
  const code = await script();
  const session = await browser.newBrowserCDPSession();
  const cpu = async () => {
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0) * 1e6;
  };
  const names = [
    native,
    "sourcecast: subscribe()",
    "sourcecast: EventSource",
    "eventsource 5",
    "eventsource-client",
    "fetch-event-source",
  ];
  /** @type {Record<string, Record<string, { seconds: number[], cpu: number[] }>>} */
  const results = {};
  for (let round = 0; round <= rounds; round++) {
    for (const { workload, count } of workloads) {
      for (let turn = 0; turn < names.length; turn++) {
        const name = /** @type {string} */ (names[(turn + round) % names.length]);
        const page = await browser.newPage();
        await page.goto(`${origin}/page`);
        await page.evaluate(code);
        const run = () =>
          page.evaluate(
            ([name, url, count]) => /** @type {any} */ (globalThis).clients.receive(name, url, count),
            /** @type {const} */ ([name, `${origin}/${workload}?count=${count}`, count]),
          );
        await run();
        const before = await cpu();
        const seconds = await run();
        const result = { seconds, cpu: ((await cpu()) - before) / count };
        await page.close();
        if (round === 0) continue;
        const ofWorkload = results[workload] ?? {};
        results[workload] = ofWorkload;
        const own = ofWorkload[name] ?? { seconds: [], cpu: [] };
        ofWorkload[name] = own;
        own.seconds.push(result.seconds);
        own.cpu.push(result.cpu);
      }
    }
  }
  await browser.close();
  return Object.fromEntries(
    Object.entries(results).map(([workload, byName]) => [
      workload,
      names.map((name) => ({
        name,
        eventsPerSecond: summary(
          (byName[name]?.seconds ?? []).map((s) => (workloads.find((w) => w.workload === workload)?.count ?? 0) / s),
        ),
        cpu: summary(byName[name]?.cpu ?? []),
      })),
    ]),
  );
}

/**
 * Pages go offline for a while and come back, each with a native and an own stream of a hub that publishes all the time. The
 * browser cuts no open connection of a page that it declares offline, so the server does.
 *
 * @param {{ pages: number, outages: number }} options
 * @returns {Promise<Record<string, number[]>>} milliseconds by client
 */
export async function recovery({ pages, outages }) {
  const hub = createHub();
  const channel = hub.channel("prices");
  let down = false;
  const server = createServer((req, res) => {
    if (req.url === "/page") res.writeHead(200, { "content-type": "text/html" }).end("<!doctype html>");
    else if (down) res.destroy();
    else respond(hub, req, res, { channels: ["prices"] });
  });
  // A page has six connections to a host, so each has a host of its own.
  await once(server.listen(0, "0.0.0.0"), "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const publisher = setInterval(() => channel.dispatch("price", { price: 1 }), 20);
  const browser = await chromium.launch({
    executablePath: /** @type {string} */ (process.env.CHROMIUM_PATH),
    args: ["--no-sandbox"],
  });
  const code = await script();
  const names = [native, "sourcecast: subscribe()"];
  const open = await Promise.all(
    Array.from({ length: pages }, async (_, index) => {
      const context = await browser.newContext();
      const page = await context.newPage();
      const origin = `http://127.0.0.${index + 2}:${port}`;
      await page.goto(`${origin}/page`);
      await page.evaluate(code);
      await page.evaluate(
        ([names, url]) => {
          const state = /** @type {any} */ (globalThis);
          state.times = Object.fromEntries(names.map((/** @type {string} */ name) => [name, []]));
          /** @type {Record<string, boolean>} */
          const waits = {};
          let back = 0;
          addEventListener("offline", () => {
            back = Number.POSITIVE_INFINITY;
          });
          addEventListener("online", () => {
            back = performance.now();
            for (const name of names) waits[name] = true;
          });
          for (const name of names) {
            state.clients.contenders[name](url, () => {
              if (!waits[name] || performance.now() < back) return;
              waits[name] = false;
              state.times[name].push(performance.now() - back);
            });
          }
        },
        /** @type {const} */ ([names, `${origin}/events`]),
      );
      return { context, page };
    }),
  );
  const pause = (/** @type {number} */ time) => new Promise((resolve) => setTimeout(resolve, time));
  await pause(1_000);
  for (let outage = 0; outage < outages; outage++) {
    await Promise.all(open.map(({ context }) => context.setOffline(true)));
    down = true;
    server.closeAllConnections();
    await pause(3_000 + Math.random() * 5_000);
    down = false;
    await Promise.all(open.map(({ context }) => context.setOffline(false)));
    await pause(8_000);
  }
  /** @type {Record<string, number[]>} */
  const times = {};
  for (const { page } of open) {
    const own = await page.evaluate(() => /** @type {any} */ (globalThis).times);
    for (const name of names) times[name] = [...(times[name] ?? []), ...own[name]];
  }
  clearInterval(publisher);
  await browser.close();
  server.closeAllConnections();
  server.close();
  await hub.close();
  return times;
}
