import { readFileSync } from "node:fs";
import { descriptionOf, scriptOf } from "../contenders.mjs";
import { Hub } from "./hub.mjs";
import { Worker } from "./process.mjs";

/**
 * The server of one contender and its connections, in two processes: the server alone on the first processor.
 *
 * @template T
 * @param {string} contender
 * @param {number} connections
 * @param {(session: Session) => Promise<T>} measure
 * @param {{ root?: string }} [options] `root` is another folder with the same servers.
 * @returns {Promise<T>}
 */
export async function withSession(contender, connections, measure, { root } = {}) {
  const description = descriptionOf(contender);
  const server =
    description === undefined
      ? new Worker(scriptOf(contender), { processor: 0, root })
      : await Hub.start(description, 0);
  const loader = new Worker("loader.mjs", { processor: 1 });
  try {
    await loader.hear();
    const { port, subscribe, publish } = await server.hear();
    const before = { ...(await server.ask("memory")), kernel: kernelMemory() };
    const { cpu: idle } = await server.ask("cpu");
    const { wall } = await loader.ask("open", { port, count: connections, ...subscribe });
    const { cpu } = await server.ask("cpu");
    return await measure({ server, loader, port, publish, connections, opening: { wall, cpu: cpu - idle }, before });
  } catch (cause) {
    throw new Error(`Measuring ${contender} with ${connections} connections failed`, { cause });
  } finally {
    await Promise.all([server.stop(), loader.stop()]);
  }
}

/**
 * @typedef {object} Session
 * @property {Pick<Worker, "ask">} server
 * @property {Worker} loader
 * @property {number} port
 * @property {object | undefined} publish The request of a hub that publishes an event.
 * @property {number} connections
 * @property {{ wall: number, cpu: number }} opening Microseconds for opening all connections: in total, and of the server.
 * @property {{ heap: number, rss: number, kernel: number }} before Memory of the server and of the kernel before the first connection. The heap of another
 * project's hub is not known: `NaN`.
 */

/** @typedef {{ cpu: number, rate: number, wire: number, loaderShare: number }} Cost Nanoseconds of the server's processor
 * time per delivery, deliveries per second, bytes of a delivery above TCP, and the share of time in which the loader was
 * busy. */

/**
 * Publishes in the server itself and waits for everything to arrive.
 *
 * @param {Session} session
 * @param {{ events: number, perTick?: number, size: number, readers?: number }} what
 * @returns {Promise<Cost>}
 */
export function publishAndCount(session, { events, perTick = 1, size, readers = session.connections }) {
  return count(session, events * readers, size, async () => {
    const { cpu } = await session.server.ask("publish", { events, perTick, size });
    return cpu;
  });
}

/**
 * Publishes over HTTP, with several requests in flight, and waits for everything to arrive.
 *
 * @param {Session} session
 * @param {{ events: number, inFlight: number, size: number }} what
 * @returns {Promise<Cost>}
 */
export function postAndCount(session, { events, inFlight, size }) {
  const { server, loader, port, publish, connections } = session;
  return count(session, events * connections, size, async (arrived) => {
    const before = await server.ask("cpu");
    await loader.ask("publish", { port, events, inFlight, size, ...publish });
    await arrived();
    return (await server.ask("cpu")).cpu - before.cpu;
  });
}

/**
 * @param {Session} session
 * @param {number} deliveries
 * @param {number} size
 * @param {(arrived: () => Promise<void>) => Promise<number>} publish Returns the microseconds that it took the server.
 */
async function count({ loader }, deliveries, size, publish) {
  const before = await loader.ask("count");
  let now = before;
  const arrived = async () => {
    for (let waits = 0; now.bytes < before.bytes + deliveries * size; waits++) {
      if (waits > 2_000) throw new Error(`Only ${now.bytes - before.bytes} of ${deliveries * size} bytes arrived`);
      now = await loader.ask("count");
      if (waits > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const start = performance.now();
  const cpu = await publish(arrived);
  await arrived();
  const elapsed = performance.now() - start;
  return {
    cpu: (cpu * 1_000) / deliveries,
    rate: (deliveries * 1_000) / elapsed,
    wire: (now.bytes - before.bytes) / deliveries,
    loaderShare: (now.cpu - before.cpu) / 1_000 / elapsed,
  };
}

/** Bytes that the kernel uses for its own objects, including sockets. */
export function kernelMemory() {
  return Number(/^Slab:\s+(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) * 1_024;
}
