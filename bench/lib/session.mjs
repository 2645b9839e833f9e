import { Worker } from "./process.mjs";

/**
 * A server of one contender with its connections, each in a process of its own: the server alone on the first processor.
 *
 * @template T
 * @param {string} contender A file of servers/, without its ending.
 * @param {number} connections
 * @param {(session: Session) => Promise<T>} measure
 * @param {{ path?: string, headers?: string }} [options]
 * @returns {Promise<T>}
 */
export async function withSession(contender, connections, measure, options = {}) {
  const server = new Worker(`servers/${contender}.mjs`, { processor: 0 });
  const loader = new Worker("loader.mjs", { processor: 1 });
  try {
    await loader.hear();
    const { port } = await server.hear();
    const before = await server.ask("memory");
    const { cpu: idle } = await server.ask("cpu");
    const { wall } = await loader.ask("open", { port, count: connections, ...options });
    const { cpu } = await server.ask("cpu");
    return await measure({ server, loader, port, connections, opening: { wall, cpu: cpu - idle }, before });
  } finally {
    await Promise.all([server.stop(), loader.stop()]);
  }
}

/**
 * @typedef {object} Session
 * @property {Worker} server
 * @property {Worker} loader
 * @property {number} port
 * @property {number} connections
 * @property {{ wall: number, cpu: number }} opening Microseconds that opening all connections took, in all and of the server.
 * @property {{ heap: number, rss: number }} before Memory of the server before there were any.
 */

/**
 * Publishes and waits for everything to arrive.
 *
 * @param {Session} session
 * @param {{ events: number, perTick?: number, size: number }} what
 * @returns {Promise<{ cpu: number, rate: number, loaderShare: number }>} Nanoseconds of the server's processor for each
 * delivery, deliveries a second, and the share of its time in which the loader was busy.
 */
export async function publishAndCount({ server, loader, connections }, { events, perTick = 1, size }) {
  const before = await loader.ask("count");
  const start = performance.now();
  const { cpu } = await server.ask("publish", { events, perTick, size });
  const deliveries = events * connections;
  const wanted = before.bytes + deliveries * size;
  let now = await loader.ask("count");
  for (let waits = 0; now.bytes < wanted; waits++) {
    if (waits > 500) throw new Error(`Only ${now.bytes - before.bytes} of ${wanted - before.bytes} bytes arrived`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    now = await loader.ask("count");
  }
  const elapsed = performance.now() - start;
  return {
    cpu: (cpu * 1_000) / deliveries,
    rate: (deliveries * 1_000) / elapsed,
    loaderShare: (now.cpu - before.cpu) / 1_000 / elapsed,
  };
}
