import { groupOf, interleave } from "../lib/interleave.mjs";
import { publishAndCount, withSession } from "../lib/session.mjs";

const connections = 1_000;
const contenders = [
  "control-write",
  "control-chunk",
  "set",
  "hub-memory",
  "hub-sqlite",
  "better-sse",
  "fastify-sse",
  "hono-stream-sse",
];

/** The time from publish to receipt, at half and at nine tenths of the load that the control sustains. */
export const latency = {
  name: "latency",
  title: "From publish to receipt, 1,000 connections, 100 B",
  by: "% of what response.write() can carry",
  control: "control-write",
  figures: {
    p50: { title: "median", unit: "µs" },
    p99: { title: "99 % within", unit: "µs" },
    max: { title: "longest", unit: "µs" },
  },
  plots: [
    { file: "latency-half-load", kind: "bars", figure: "p99", group: "50" },
    { file: "latency-edge", kind: "bars", figure: "p99", group: "90" },
  ],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    const capacity = await withSession("control-write", connections, async (session) => {
      await publishAndCount(session, { events: 30, size: 100 });
      return (await publishAndCount(session, { events: 100, size: 100 })).rate;
    });
    const perSecond = capacity / connections;
    const results = await interleave(
      quick ? contenders.slice(0, 4) : contenders,
      quick ? 1 : 3,
      (contender) => withSession(contender, connections, (session) => measure(session, perSecond, quick ? 0.5 : 1.2)),
      progress,
    );
    return { 50: groupOf(results, 50), 90: groupOf(results, 90) };
  },
};

/**
 * @param {import("../lib/session.mjs").Session} session
 * @param {number} capacity Events per second.
 * @param {number} seconds
 */
async function measure({ server, loader }, capacity, seconds) {
  /** @type {Record<string, number>} */
  const figures = {};
  await server.ask("pace", { perSecond: 20, seconds: 0.5, size: 100 });
  for (const percent of [50, 90]) {
    await loader.ask("startLatency");
    await server.ask("pace", { perSecond: (capacity * percent) / 100, seconds, size: 100 });
    await loader.ask("settle");
    const { p50, p99, max } = await loader.ask("stopLatency");
    Object.assign(figures, { [`p50 ${percent}`]: p50, [`p99 ${percent}`]: p99, [`max ${percent}`]: max });
  }
  return figures;
}
