// Holds the connections of a benchmark and counts the bytes that arrive, in a process of its own. It takes commands as lines
// of JSON.
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";

/** @type {import("node:net").Socket[]} */
let sockets = [];
let bytes = 0;
/** Latencies in microseconds while they are recorded. @type {number[] | null} */
let latencies = null;
const buffer = Buffer.allocUnsafe(1024 * 1024);

const commands = {
  /** Opens connections, `atOnce` at a time. Returns the microseconds that it took. */
  async open(
    /** @type {{ port: number, count: number, path?: string, atOnce?: number, headers?: Record<string, string> }} */ options,
  ) {
    const { port, count, path = "/events", atOnce = 200, headers = {} } = options;
    const request = requestOf("GET", path, { accept: "text/event-stream", ...headers });
    const start = process.hrtime.bigint();
    let opened = 0;
    const openSome = async () => {
      while (opened < count) {
        opened++;
        sockets.push(await openOne(port, request));
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, openSome));
    return { wall: Number(process.hrtime.bigint() - start) / 1_000 };
  },
  async close() {
    for (const socket of sockets) socket.destroy();
    sockets = [];
    return {};
  },
  /** Stops reading from a share of the connections. */
  async stall(/** @type {{ share: number }} */ { share }) {
    const stalled = sockets.slice(0, Math.ceil(sockets.length * share));
    for (const socket of stalled) socket.pause();
    return { stalled: stalled.length };
  },
  async count() {
    const { user, system } = process.cpuUsage();
    return { bytes, cpu: user + system };
  },
  /** Waits until no byte has arrived for `quiet` milliseconds. */
  async settle(/** @type {{ quiet?: number }} */ { quiet = 50 }) {
    for (let before = -1; before !== bytes; ) {
      before = bytes;
      await new Promise((resolve) => setTimeout(resolve, quiet));
    }
    return { bytes };
  },
  /** Waits until this many bytes have arrived. */
  async until(/** @type {{ bytes: number }} */ { bytes: wanted }) {
    while (bytes < wanted) await new Promise((resolve) => setTimeout(resolve, 2));
    return { bytes };
  },
  async startLatency() {
    latencies = [];
    return {};
  },
  async stopLatency() {
    const sorted = (latencies ?? []).sort((a, b) => a - b);
    latencies = null;
    const at = (/** @type {number} */ share) =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
  },
  /**
   * Publishes over HTTP with several requests in flight, as remote publishers would. With one in flight, waits after each
   * event until every connection has it: a hub that answers before it delivers would otherwise merge events into one write.
   */
  async publish(
    /** @type {{ port: number, events: number, inFlight: number, size: number, path?: string, headers?: Record<string, string>, body?: string }} */ options,
  ) {
    const { port, events, inFlight, size, path = "/publish", headers = {}, body = "{data}" } = options;
    const content = body.replace("{data}", "x".repeat(size));
    const request = requestOf("POST", path, { ...headers, "content-length": String(content.length) }) + content;
    let left = events;
    const publisher = async () => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      while (left-- > 0) {
        socket.write(request);
        const arrived = bytes + sockets.length * size;
        await once(socket, "data");
        if (inFlight === 1) await settled(arrived);
      }
      socket.destroy();
    };
    const start = process.hrtime.bigint();
    await Promise.all(Array.from({ length: inFlight }, publisher));
    return { wall: Number(process.hrtime.bigint() - start) / 1_000 };
  },
};

/** Waits until this many bytes have arrived, and for the rest: framing is not known. @param {number} wanted */
async function settled(wanted) {
  for (let before = -1; bytes < wanted || bytes !== before; ) {
    before = bytes;
    for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** @param {string} method @param {string} path @param {Record<string, string>} headers */
function requestOf(method, path, headers) {
  const lines = Object.entries({ host: "localhost", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/**
 * Resolves with the socket when its first bytes have arrived.
 *
 * @param {number} port
 * @param {string} request
 * @returns {Promise<import("node:net").Socket>}
 */
function openOne(port, request) {
  return new Promise((resolve, reject) => {
    let isOpen = false;
    const socket = connect({
      port,
      host: "127.0.0.1",
      // One buffer for all sockets: bytes are counted and forgotten.
      onread: {
        buffer,
        callback(length) {
          bytes += length;
          if (latencies !== null) measure(length);
          if (!isOpen) {
            isOpen = true;
            resolve(socket);
          }
          return true;
        },
      },
    });
    socket.write(request);
    socket.on("error", reject);
  });
}

/** The first event of a read carries the time at which it was published, as text or as JSON. @param {number} length */
function measure(length) {
  const at = buffer.indexOf("data:");
  if (at === -1 || at >= length) return;
  const published = /^data: ?"?(\d{6,}) /.exec(buffer.toString("latin1", at, at + 40))?.[1];
  if (published !== undefined) latencies?.push(Number(process.hrtime.bigint() - BigInt(published)) / 1_000);
}

process.stdout.write("{}\n");
for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await commands[/** @type {keyof typeof commands} */ (command)](options))}\n`);
}
process.exit(0);
