import { forQuick, onNode } from "../contenders.mjs";
import { interleave } from "../lib/interleave.mjs";
import { publishAndCount, withSession } from "../lib/session.mjs";

const sizes = /** @type {const} */ ([
  { size: 100, share: 1 },
  { size: 1_024, share: 0.5 },
  { size: 10_240, share: 0.1 },
]);

/** Deliveries, and events, before the first one that counts: code is compiled during its first runs, on the same processor. */
const warmUp = 60_000;
const warmUpEvents = 30;

/** One event at a time to all connections, in three sizes: the cost of a delivery by number of connections. */
export const fanOut = {
  name: "fan-out",
  title: "A delivery: one event to all connections",
  by: "connections",
  control: "control-chunk",
  figures: {
    "cpu-100": { title: "100 B", unit: "ns of processor time a delivery" },
    "rate-100": { title: "100 B", unit: "deliveries/s" },
    "cpu-1024": { title: "1 KiB", unit: "ns of processor time a delivery" },
    "cpu-10240": { title: "10 KiB", unit: "ns of processor time a delivery" },
    "wire-100": { title: "100 B, on the wire", unit: "bytes" },
  },
  plots: [
    { file: "fan-out", kind: "bars", figure: "cpu-100", group: "10000" },
    { file: "fan-out-growth", kind: "lines", figure: "cpu-100" },
    { file: "fan-out-10-kib", kind: "bars", figure: "cpu-10240", group: "1000" },
  ],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    /** @type {import("../lib/measure.mjs").Groups} */
    const groups = {};
    for (const connections of quick ? [1_000] : [100, 1_000, 10_000]) {
      groups[connections] = await interleave(
        quick ? forQuick : onNode,
        quick || connections === 100 ? 1 : connections === 1_000 ? 2 : 3,
        (contender) => withSession(contender, connections, (session) => measure(session, quick)),
        (text) => progress(`${connections} connections, ${text}`),
      );
    }
    return groups;
  },
};

/**
 * @param {import("../lib/session.mjs").Session} session
 * @param {boolean} quick
 */
async function measure(session, quick) {
  const { connections } = session;
  const deliveries = quick ? 20_000 : Math.max(40_000, 10 * connections);
  /** @type {Record<string, number>} */
  const figures = {};
  const warm = quick ? Math.ceil(10_000 / connections) : Math.max(warmUpEvents, Math.ceil(warmUp / connections));
  await publishAndCount(session, { events: warm, size: 100 });
  for (const { size, share } of sizes) {
    const events = Math.max(2, Math.ceil((deliveries * share) / connections));
    const { cpu, rate, wire, loaderShare } = await publishAndCount(session, { events, size });
    figures[`cpu-${size}`] = cpu;
    figures[`rate-${size}`] = rate;
    figures[`wire-${size}`] = wire;
    figures[`loader-${size}`] = loaderShare;
  }
  return figures;
}
