import { interleave } from "../lib/interleave.mjs";
import { publishAndCount, withSession } from "../lib/session.mjs";

const contenders = ["control-chunk", "set", "hub-memory", "better-sse", "fastify-sse", "hono-stream-sse"];

/** Several events in one turn of the event loop, as several publishers at once make them. */
export const bursts = {
  name: "bursts",
  title: "A delivery when several events come in one tick",
  unit: "ns of processor time",
  control: "control-chunk",
  /** @param {{ quick: boolean, progress: (text: string) => void }} options */
  async run({ quick, progress }) {
    const connections = quick ? 500 : 1_000;
    return interleave(
      contenders,
      quick ? 2 : 5,
      (contender) =>
        withSession(contender, connections, async (session) => {
          await publishAndCount(session, { events: 20, size: 100 });
          /** @type {Record<string, number>} */
          const figures = {};
          for (const perTick of [1, 8, 16, 64]) {
            const { cpu, rate } = await publishAndCount(session, {
              events: perTick * (quick ? 5 : 20),
              perTick,
              size: 100,
            });
            figures[`cpu-${perTick}`] = cpu;
            figures[`rate-${perTick}`] = rate;
          }
          return figures;
        }),
      progress,
    );
  },
};
