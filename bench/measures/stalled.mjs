import { interleave } from "../lib/interleave.mjs";
import { publishAndCount, withSession } from "../lib/session.mjs";

const contenders = ["control-write", "control-chunk", "set", "hub-memory", "hub-sqlite", "better-sse"];
const size = 65_536;

/** One reader in a hundred stops reading: the effect on the others, and the memory that its events take. */
export const stalled = {
  name: "stalled",
  title: "1 % of the readers stalled, 100 connections, 64 KiB",
  control: "control-write",
  figures: {
    before: { title: "to the others, before", unit: "ns of processor time a delivery" },
    cpu: { title: "to the others, during that", unit: "ns of processor time a delivery" },
    memory: { title: "memory that a stalled reader takes", unit: "bytes of heap and buffers" },
  },
  plots: [{ file: "stalled", kind: "bars", figure: "memory", group: "" }],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    const batches = quick ? 12 : 40;
    const results = await interleave(
      quick ? contenders.slice(0, 4) : contenders,
      quick ? 1 : 2,
      (contender) => withSession(contender, 100, (session) => measure(session, batches)),
      progress,
    );
    return { "": results };
  },
};

/**
 * @param {import("../lib/session.mjs").Session} session
 * @param {number} batches
 */
async function measure(session, batches) {
  const { server, loader, connections } = session;
  // In batches that are awaited, so that only the stalled readers lag.
  const publish = async (/** @type {number} */ readers, /** @type {number} */ times) => {
    const { heap } = await server.ask("memory");
    let cpu = 0;
    for (let batch = 0; batch < times; batch++) {
      cpu += (await publishAndCount(session, { events: 8, size, readers })).cpu / times;
    }
    return { cpu, grown: (await server.ask("memory")).heap - heap };
  };
  // The ring of a hub grows too, and is full after this; its log never is.
  await publish(connections, 40);
  const before = await publish(connections, batches);
  const { stalled } = await loader.ask("stall", { share: 0.01 });
  const meanwhile = await publish(connections - stalled, batches);
  return { before: before.cpu, cpu: meanwhile.cpu, memory: Math.max(0, meanwhile.grown - before.grown) / stalled };
}
