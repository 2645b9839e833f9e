import { contenders } from "../contenders.mjs";
import { interleave } from "../lib/interleave.mjs";
import { publishAndCount, withSession } from "../lib/session.mjs";

/** One event after the other to all connections, in three sizes: what a delivery costs, and how it grows with the number. */
export const fanOut = {
  name: "fan-out",
  title: "A delivery: one event to all connections",
  unit: "ns of processor time",
  control: "control-chunk",
  /** @param {{ quick: boolean, progress: (text: string) => void }} options */
  async run({ quick, progress }) {
    /** @type {Record<string, any>} */
    const results = {};
    for (const connections of quick ? [1_000] : [100, 1_000, 10_000]) {
      results[connections] = await interleave(
        Object.keys(contenders),
        quick ? 2 : connections === 10_000 ? 3 : 5,
        (contender) => withSession(contender, connections, (session) => measure(session, quick)),
        (text) => progress(`${connections} connections: ${text}`),
      );
    }
    return results;
  },
};

/**
 * @param {import("../lib/session.mjs").Session} session
 * @param {boolean} quick
 */
async function measure(session, quick) {
  const { server, loader, connections, opening, before } = session;
  const deliveries = quick ? 30_000 : 100_000;
  await loader.ask("settle", {});
  const idle = await server.ask("memory");
  // What runs for the first time is compiled on the way.
  await publishAndCount(session, { events: Math.ceil(20_000 / connections), size: 100 });
  /** @type {Record<string, number>} */
  const figures = {
    accept: opening.cpu / connections,
    heap: (idle.heap - before.heap) / connections,
    rss: (idle.rss - before.rss) / connections,
  };
  for (const [size, share] of [
    [100, 1],
    [1_024, 0.5],
    [10_240, 0.1],
  ]) {
    const events = Math.max(2, Math.ceil((deliveries * share) / connections));
    const { cpu, rate, loaderShare } = await publishAndCount(session, { events, size });
    figures[`cpu-${size}`] = cpu;
    figures[`rate-${size}`] = rate;
    figures[`loader-${size}`] = loaderShare;
  }
  return figures;
}
