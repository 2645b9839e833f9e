import { interleave } from "../lib/interleave.mjs";
import { publishAndCount, withSession } from "../lib/session.mjs";

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

/** From the publish to the receipt, at half of what the control can carry and at nine tenths. */
export const latency = {
  name: "latency",
  title: "Latency from publish to receipt, 1,000 connections",
  unit: "µs",
  control: "control-write",
  /** @param {{ quick: boolean, progress: (text: string) => void }} options */
  async run({ quick, progress }) {
    const connections = 1_000;
    const capacity = await withSession("control-write", connections, async (session) => {
      await publishAndCount(session, { events: 30, size: 100 });
      return (await publishAndCount(session, { events: 100, size: 100 })).rate;
    });
    return interleave(
      contenders,
      quick ? 1 : 3,
      (contender) =>
        withSession(contender, connections, async ({ server, loader }) => {
          await server.ask("pace", { perSecond: 20, seconds: 1, size: 100 });
          /** @type {Record<string, number>} */
          const figures = {};
          for (const [load, share] of /** @type {const} */ ([
            ["half", 0.5],
            ["edge", 0.9],
          ])) {
            await loader.ask("startLatency");
            await server.ask("pace", {
              perSecond: (capacity * share) / connections,
              seconds: quick ? 1 : 3,
              size: 100,
            });
            await loader.ask("settle", {});
            const { p50, p99, max } = await loader.ask("stopLatency");
            Object.assign(figures, { [`${load}-p50`]: p50, [`${load}-p99`]: p99, [`${load}-max`]: max });
          }
          return figures;
        }),
      progress,
    );
  },
};
