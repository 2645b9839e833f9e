import { available, forQuick, hubs } from "../contenders.mjs";
import { interleave } from "../lib/interleave.mjs";
import { kernelMemory, withSession } from "../lib/session.mjs";

const contenders = [...forQuick, "control-hub", "hub-sqlite", "fastify-sse"];

/** The cost of an idle connection: accepting it, keeping it, and the memory that remains after it. */
export const connections = {
  name: "connections",
  title: "An idle connection",
  by: "connections",
  control: "control-write",
  figures: {
    accept: { title: "accepting it", unit: "µs of processor time" },
    perSecond: { title: "accepted", unit: "connections/s" },
    heap: { title: "heap and buffers after collection", unit: "bytes" },
    rss: { title: "the process as the kernel sees it", unit: "bytes" },
    kernel: { title: "the kernel's own, for both ends", unit: "bytes" },
    left: { title: "heap when all have left", unit: "bytes" },
  },
  plots: [
    { file: "connection-memory", kind: "bars", figure: "heap", group: "10000" },
    { file: "connection-process", kind: "bars", figure: "rss", group: "10000" },
    { file: "connection-accept", kind: "bars", figure: "accept", group: "10000" },
  ],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    /** @type {import("../lib/measure.mjs").Groups} */
    const groups = {};
    for (const count of quick ? [1_000] : [1_000, 10_000]) {
      groups[count] = await interleave(
        [...(quick ? forQuick : contenders), ...available(hubs())],
        quick ? 1 : 2,
        (contender) => withSession(contender, count, measure),
        (text) => progress(`${count} connections, ${text}`),
      );
    }
    return groups;
  },
};

/** @param {import("../lib/session.mjs").Session} session */
async function measure({ server, loader, connections, opening, before }) {
  await loader.ask("settle");
  const idle = await server.ask("memory");
  const kernel = kernelMemory();
  await loader.ask("close");
  await new Promise((resolve) => setTimeout(resolve, 200));
  const after = await server.ask("memory");
  return {
    accept: opening.cpu / connections,
    perSecond: connections / (opening.wall / 1e6),
    heap: (idle.heap - before.heap) / connections,
    rss: (idle.rss - before.rss) / connections,
    kernel: (kernel - before.kernel) / connections,
    left: (after.heap - before.heap) / connections,
  };
}
