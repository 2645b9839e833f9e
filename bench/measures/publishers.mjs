import { available, forQuick, hubs } from "../contenders.mjs";
import { interleave } from "../lib/interleave.mjs";
import { postAndCount, withSession } from "../lib/session.mjs";

const contenders = available([
  "control-write",
  "control-chunk",
  "control-c",
  "set",
  "hub-memory",
  "hub-sqlite",
  "better-sse",
]);

/** Events that are published over HTTP, by one publisher and by eight that do not wait for each other. */
export const publishers = {
  name: "publishers",
  title: "A delivery of what is posted, 100 B",
  by: "connections",
  control: "control-chunk",
  figures: {
    "cpu-1": { title: "one publisher", unit: "ns of processor time a delivery" },
    "cpu-8": { title: "8 publishers in flight", unit: "ns of processor time a delivery" },
    "rate-8": { title: "8 publishers in flight", unit: "deliveries/s" },
    wire: { title: "on the wire", unit: "bytes" },
  },
  plots: [
    { file: "publishers-1", kind: "bars", figure: "cpu-1", group: "10000" },
    { file: "publishers-8", kind: "bars", figure: "rate-8", group: "10000" },
  ],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    /** @type {import("../lib/measure.mjs").Groups} */
    const groups = {};
    for (const connections of quick ? [1_000] : [1_000, 10_000]) {
      groups[connections] = await interleave(
        [...(quick ? forQuick : contenders), ...available(hubs())],
        quick ? 1 : 2,
        (contender) => withSession(contender, connections, (session) => measure(session, quick ? 16_000 : 80_000)),
        (text) => progress(`${connections} connections, ${text}`),
      );
    }
    return groups;
  },
};

/**
 * @param {import("../lib/session.mjs").Session} session
 * @param {number} deliveries
 */
async function measure(session, deliveries) {
  const events = Math.ceil(deliveries / session.connections);
  // Code is compiled during its first runs, on the same processor.
  await postAndCount(session, { events, inFlight: 1, size: 100 });
  const one = await postAndCount(session, { events, inFlight: 1, size: 100 });
  await postAndCount(session, { events: 8, inFlight: 8, size: 100 });
  const eight = await postAndCount(session, { events: Math.max(24, events), inFlight: 8, size: 100 });
  return {
    "cpu-1": one.cpu,
    "rate-1": one.rate,
    wire: one.wire,
    "cpu-8": eight.cpu,
    "rate-8": eight.rate,
    "loader-8": eight.loaderShare,
  };
}
