// The part that all measured servers share: commands on the standard input, answers on the standard output, one line of JSON
// each.
import { createInterface } from "node:readline";

/**
 * @typedef {object} Contender
 * @property {() => Promise<number>} listen Listens on a free port of 127.0.0.1, streams on /events, publishes what is posted
 * to /publish, and returns the port.
 * @property {(data: string) => unknown} publish Sends one event of the type "tick" to every connection.
 */

/** @param {Contender} contender */
export async function serve({ listen, publish }) {
  const commands = {
    /** Publishes events, `perTick` in each turn of the event loop. Returns their cost to this process. */
    async publish(/** @type {{ events: number, perTick: number, size: number }} */ { events, perTick, size }) {
      const data = "x".repeat(size);
      const start = process.hrtime.bigint();
      const cpu = process.cpuUsage();
      /** @type {unknown} */
      let last;
      for (let sent = 0; sent < events; ) {
        const published = [];
        for (let index = 0; index < perTick && sent < events; index++, sent++) published.push(publish(data));
        last = (await Promise.all(published)).at(-1);
        // Two turns: writes that were deferred to the end of the first have left by the end of the second.
        await turn();
        await turn();
      }
      const { user, system } = process.cpuUsage(cpu);
      return { cpu: user + system, wall: Number(process.hrtime.bigint() - start) / 1_000, last };
    },
    /** Publishes at a steady pace. Each event carries its time, in nanoseconds of the machine's clock. */
    async pace(/** @type {{ perSecond: number, seconds: number, size: number }} */ { perSecond, seconds, size }) {
      const cpu = process.cpuUsage();
      const start = performance.now();
      const events = Math.round(perSecond * seconds);
      for (let sent = 0; sent < events; sent++) {
        const due = start + (sent * 1_000) / perSecond;
        while (performance.now() < due) await pause(due - performance.now());
        await publish(`${process.hrtime.bigint()} `.padEnd(size, "x"));
      }
      await pause(50);
      const { user, system } = process.cpuUsage(cpu);
      return { cpu: user + system, wall: (performance.now() - start) * 1_000, events };
    },
    /** Bytes of heap per event until it has left: the median, because a collection interrupts some measurements. */
    async allocated(/** @type {{ events: number, size: number }} */ { events, size }) {
      const data = "x".repeat(size);
      /** @type {number[]} */
      const taken = [];
      for (let sent = 0; sent < events; sent++) {
        const before = process.memoryUsage().heapUsed;
        await publish(data);
        await turn();
        await turn();
        taken.push(process.memoryUsage().heapUsed - before);
      }
      return { bytes: taken.sort((a, b) => a - b)[events >> 1] };
    },
    /** Bytes in use after a collection: heap and external memory, and the process as the kernel sees it. */
    async memory() {
      for (let index = 0; index < 5; index++) {
        await pause(20);
        collect();
      }
      const { heapUsed, external, rss } = process.memoryUsage();
      return { heap: heapUsed + external, rss };
    },
    async cpu() {
      const { user, system } = process.cpuUsage();
      return { cpu: user + system };
    },
  };
  const port = await listen();
  say({ port });
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...options } = JSON.parse(line);
    say(await commands[/** @type {keyof typeof commands} */ (command)](options));
  }
  process.exit(0);
}

/** @param {object} answer */
function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

function turn() {
  return new Promise((resolve) => setImmediate(resolve));
}

/** @param {number} milliseconds */
function pause(milliseconds) {
  return milliseconds < 1 ? turn() : new Promise((resolve) => setTimeout(resolve, milliseconds - 0.5));
}

function collect() {
  const { Bun } = /** @type {{ Bun?: { gc(force: boolean): void } }} */ (globalThis);
  if (Bun === undefined) globalThis.gc?.();
  else Bun.gc(true);
}
