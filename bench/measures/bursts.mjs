import { available } from "../contenders.mjs";
import { groupOf, interleave } from "../lib/interleave.mjs";
import { publishAndCount, withSession } from "../lib/session.mjs";

const contenders = available([
  "control-chunk",
  "control-c",
  "set",
  "hub-memory",
  "better-sse",
  "fastify-sse",
  "hono-stream-sse",
]);

/** Several events in one turn of the event loop, as concurrent publishers cause them. */
export const bursts = {
  name: "bursts",
  title: "A delivery when several events come in one tick, 1,000 connections, 100 B",
  by: "events in a tick",
  control: "control-chunk",
  figures: {
    cpu: { title: "cost", unit: "ns of processor time a delivery" },
    rate: { title: "rate", unit: "deliveries/s" },
  },
  plots: [{ file: "bursts", kind: "lines", figure: "cpu" }],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    const perTicks = quick ? [1, 16] : [1, 8, 16, 64];
    const results = await interleave(
      contenders,
      quick ? 1 : 2,
      (contender) => withSession(contender, quick ? 500 : 1_000, (session) => measure(session, perTicks, quick)),
      progress,
    );
    return Object.fromEntries(perTicks.map((perTick) => [perTick, groupOf(results, perTick)]));
  },
};

/**
 * @param {import("../lib/session.mjs").Session} session
 * @param {number[]} perTicks
 * @param {boolean} quick
 */
async function measure(session, perTicks, quick) {
  await publishAndCount(session, { events: 20, size: 100 });
  /** @type {Record<string, number>} */
  const figures = {};
  for (const perTick of perTicks) {
    const { cpu, rate } = await publishAndCount(session, { events: perTick * (quick ? 5 : 12), perTick, size: 100 });
    figures[`cpu ${perTick}`] = cpu;
    figures[`rate ${perTick}`] = rate;
  }
  return figures;
}
