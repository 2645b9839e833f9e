import { interleave } from "../lib/interleave.mjs";
import { Worker } from "../lib/process.mjs";
import { withSession } from "../lib/session.mjs";

const contenders = ["control-replay", "hub-memory", "hub-sqlite"];
const live = 100;
const missed = 100;
const size = 100;

/** All clients reconnect at once, each with a cursor a hundred events old, while others stay connected. */
export const storm = {
  name: "storm",
  title: "A reconnect storm, 100 events of 100 B replayed to each client",
  by: "clients",
  control: "control-replay",
  figures: {
    cpu: { title: "accepting and replaying", unit: "ns of processor time an event" },
    seconds: { title: "until all have what they missed", unit: "s" },
    quiet: { title: "live subscribers without a storm, 99 % within", unit: "µs" },
    during: { title: "live subscribers in the storm, 99 % within", unit: "µs" },
  },
  plots: [
    { file: "storm", kind: "lines", figure: "seconds" },
    { file: "storm-live", kind: "lines", figure: "during" },
  ],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    /** @type {import("../lib/measure.mjs").Groups} */
    const groups = {};
    for (const clients of quick ? [1_000] : [1_000, 2_500, 5_000, 10_000]) {
      groups[clients] = await interleave(
        contenders,
        quick ? 1 : 2,
        (contender) => withSession(contender, live, (session) => measure(session, clients)),
        (text) => progress(`${clients} clients, ${text}`),
      );
    }
    return groups;
  },
};

/**
 * @param {import("../lib/session.mjs").Session} session
 * @param {number} clients
 */
async function measure({ server, loader, port }, clients) {
  // A load for the server that does not grow with the number of clients.
  const pace = { perSecond: 40_000 / clients, seconds: 0.5, size };
  const { last: cursor } = await server.ask("publish", { events: 1, perTick: 1, size });
  await server.ask("publish", { events: missed, perTick: 10, size });
  const returning = new Worker("loader.mjs", { processor: 1 });
  try {
    await returning.hear();
    const { cpu } = await server.ask("cpu");
    const start = performance.now();
    await loader.ask("startLatency");
    let isOver = false;
    const arrived = returning
      .ask("open", { port, count: clients, atOnce: 500, headers: { "last-event-id": cursor } })
      .then(() => returning.ask("until", { bytes: clients * missed * size }))
      .then(() => {
        isOver = true;
        return performance.now() - start;
      });
    while (!isOver) await server.ask("pace", pace);
    const milliseconds = await arrived;
    const used = (await server.ask("cpu")).cpu - cpu;
    const during = await loader.ask("stopLatency");
    // The same number of connections, all of them live.
    await loader.ask("startLatency");
    for (let times = 0; times < 4; times++) await server.ask("pace", pace);
    const quiet = await loader.ask("stopLatency");
    return {
      cpu: (used * 1_000) / (clients * missed),
      seconds: milliseconds / 1_000,
      quiet: quiet.p99,
      during: during.p99,
    };
  } finally {
    await returning.stop();
  }
}
