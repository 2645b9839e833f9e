import { available } from "../contenders.mjs";
import { interleave } from "../lib/interleave.mjs";
import { publishAndCount, withSession } from "../lib/session.mjs";

const contenders = available([
  "control-write",
  "set",
  "control-write@bun",
  "set@bun",
  "web-by-hand@bun",
  "web-direct@bun",
  "web-set@bun",
  "control-write@deno",
  "set@deno",
  "web-by-hand@deno",
  "web-set@deno",
]);

/** The same on Bun and Deno: on their `node:http`, and on their own servers with web responses. */
export const runtimes = {
  name: "runtimes",
  title: "A delivery on Node, Bun and Deno, 1,000 connections, 100 B",
  control: "control-write",
  figures: {
    cpu: { title: "one event", unit: "ns of processor time a delivery" },
    "cpu-16": { title: "16 events in a tick", unit: "ns of processor time a delivery" },
    rss: { title: "an idle connection", unit: "bytes of the process" },
  },
  plots: [{ file: "runtimes", kind: "bars", figure: "cpu", group: "" }],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    const results = await interleave(
      contenders,
      quick ? 1 : 3,
      (contender) => withSession(contender, quick ? 500 : 1_000, (session) => measure(session, quick ? 20 : 60)),
      progress,
    );
    return { "": results };
  },
};

/**
 * @param {import("../lib/session.mjs").Session} session
 * @param {number} events
 */
async function measure(session, events) {
  const { server, before, connections } = session;
  const { rss } = await server.ask("memory");
  await publishAndCount(session, { events: 20, size: 100 });
  const one = await publishAndCount(session, { events, size: 100 });
  const many = await publishAndCount(session, { events: 4 * events, perTick: 16, size: 100 });
  return {
    cpu: one.cpu,
    rate: one.rate,
    "cpu-16": many.cpu,
    "rate-16": many.rate,
    rss: (rss - before.rss) / connections,
  };
}
