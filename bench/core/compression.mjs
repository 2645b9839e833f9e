import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { constants, createGzip } from "node:zlib";
import { EventSource, EventSourceSet } from "sourcecast";
import { openEventSource } from "sourcecast/node";
import { compete, summary } from "../lib/rounds.mjs";
import { printTable } from "../lib/table.mjs";

const connections = 500;
const dispatches = 100;

/** The price of compression and its use: bytes of an event, processor time of an event and of a delivery, memory of a group. */
export async function compression() {
  for (const [name, make] of /** @type {[string, (n: number) => object][]} */ ([
    ["80 B", price],
    ["370 B", order],
  ])) {
    printTable(`Bytes of an event of ${name} in the body of a stream`, "B", [
      { name: "plain", ...summary([await bytesOf(make, "identity", 0)]) },
      ...(await Promise.all(
        [0, 100, 10].map(async (every) => ({
          name: every === 0 ? "compressed" : `compressed, with a new client every ${every} events`,
          ...summary([await bytesOf(make, "gzip", every)]),
        })),
      )),
    ]);
    printTable(
      `An event of ${name} to a set of one web source`,
      "µs",
      await compete(
        ["identity", "gzip"].map((encoding) => ({ name: encoding, run: () => timeOf(make, encoding) })),
        9,
      ),
    );
  }
  const contenders = [
    await open("plain", "identity", bySet),
    await open("compress: true", "gzip", bySet),
    await open("by hand: a gzip stream for each", "gzip", byHand),
  ];
  printTable(`A delivery of 80 B to one of ${connections} connections`, "µs", await compete(contenders, 7));
  for (const { close } of contenders) close();
  printTable("Memory of a group in use, of 500", "B", [
    { name: "compress: true", ...summary([await memoryOfGroup()]) },
  ]);
}

/** @param {number} n */
function price(n) {
  return {
    symbol: ["AAPL", "MSFT", "GOOG", "AMZN"][n % 4],
    price: 100 + (Math.imul(n, 2654435761) >>> 20) / 100,
    time: 17e11 + n * 137,
  };
}

/** @param {number} n */
function order(n) {
  const word = (/** @type {number} */ at) => (Math.imul(n * 31 + at, 2654435761) >>> 24).toString(36).padEnd(4, "item");
  const items = Array.from({ length: 6 }, (_, at) => ({
    sku: word(at),
    name: `${word(at + 7)} ${word(at + 13)}`,
    quantity: at,
  }));
  return { id: n, customer: word(99), status: "shipped", items };
}

/**
 * A set with one client on a web response, which reads everything.
 *
 * @param {EventSourceSet} set
 * @param {string} encoding
 */
function follow(set, encoding) {
  const source = new EventSource(new Request("http://localhost/", { headers: { "accept-encoding": encoding } }));
  set.add(source);
  const client = { bytes: 0, source };
  void (async () => {
    for await (const chunk of /** @type {ReadableStream<Uint8Array>} */ (source.response().body))
      client.bytes += chunk.length;
  })();
  return client;
}

/** @param {(n: number) => object} make @param {string} encoding @param {number} every after how many events another one comes */
async function bytesOf(make, encoding, every) {
  const set = new EventSourceSet({ compress: true });
  const first = follow(set, encoding);
  await turn();
  const before = first.bytes;
  const events = 2_000;
  for (let n = 0; n < events; n++) {
    if (every > 0 && n % every === every - 1) follow(set, encoding);
    set.dispatch("price", make(n), { id: `${n}` });
    await turn();
  }
  const bytes = first.bytes - before;
  set.closeAll();
  return bytes / events;
}

/** @param {(n: number) => object} make @param {string} encoding */
async function timeOf(make, encoding) {
  const set = new EventSourceSet({ compress: true });
  follow(set, encoding);
  await turn();
  const start = process.cpuUsage();
  for (let n = 0; n < 500; n++) {
    set.dispatch("price", make(n), { id: `${n}` });
    await turn();
  }
  const { user, system } = process.cpuUsage(start);
  set.closeAll();
  return (user + system) / 500;
}

/** @typedef {{ attach: import("node:http").RequestListener, send(n: number): unknown }} Server */

/** @returns {Server} */
function bySet() {
  const set = new EventSourceSet({ compress: true });
  return {
    attach: (req, res) => void set.add(openEventSource(req, res)),
    send: (n) => void set.dispatch("price", price(n), { id: `${n}` }),
  };
}

/** @returns {Server} */
function byHand() {
  /** @type {Set<import("node:zlib").Gzip>} */
  const streams = new Set();
  return {
    attach(_req, res) {
      res.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "gzip" });
      const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
      gzip.pipe(res);
      gzip.write(": open\n\n");
      streams.add(gzip);
      res.on("close", () => streams.delete(gzip));
    },
    send(n) {
      const bytes = Buffer.from(`id: ${n}\nevent: price\ndata: ${JSON.stringify(price(n))}\n\n`);
      // Other threads compress: this process has paid for the event when all of them are done.
      return Promise.all(Array.from(streams, (gzip) => new Promise((resolve) => gzip.write(bytes, resolve))));
    },
  };
}

/** @param {string} name @param {string} encoding @param {() => Server} make */
async function open(name, encoding, make) {
  const { attach, send } = make();
  const server = createServer(attach).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const script = new URL("../lib/readers.mjs", import.meta.url).pathname;
  const readers = spawn(process.execPath, [script, String(port), String(connections), encoding], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(readers.stdout, "data");
  let sent = 0;
  return {
    name,
    async run() {
      const start = process.cpuUsage();
      for (let n = 0; n < dispatches; n++) {
        await send(sent++);
        await turn();
      }
      const { user, system } = process.cpuUsage(start);
      return (user + system) / (connections * dispatches);
    },
    close() {
      readers.kill();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** The bytes that a group keeps outside of the heap, above those of a group that has sent nothing. */
async function memoryOfGroup() {
  const sets = Array.from({ length: 500 }, () => new EventSourceSet({ compress: true }));
  for (const set of sets) follow(set, "gzip");
  const before = await arrayBuffers();
  for (let n = 0; n < 200; n++) {
    for (const set of sets) set.dispatch("price", price(n));
    await turn();
  }
  const after = await arrayBuffers();
  for (const set of sets) set.closeAll();
  return (after - before) / sets.length;
}

async function arrayBuffers() {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  for (let round = 0; round < 5; round++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
  }
  return process.memoryUsage().arrayBuffers;
}

function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}
