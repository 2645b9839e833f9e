import { interleave } from "../lib/interleave.mjs";
import { Worker } from "../lib/process.mjs";

/** A publish to one of many channels, each with one subscriber. */
export const channels = {
  name: "channels",
  title: "A publish to one of many channels with one subscriber each, hub on memory",
  control: "1 channel",
  figures: {
    cpu: { title: "to the same one each time, until it is read", unit: "µs of processor time" },
    scattered: { title: "to another one each time", unit: "µs of processor time" },
    heap: { title: "an idle subscriber and its channel", unit: "bytes of heap" },
  },
  plots: [
    { file: "channels", kind: "bars", figure: "cpu", group: "" },
    { file: "channels-scattered", kind: "bars", figure: "scattered", group: "" },
  ],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    const counts = new Map((quick ? [1, 10_000] : [1, 1_000, 10_000, 100_000]).map((count) => [titleOf(count), count]));
    const results = await interleave(
      [...counts.keys()],
      quick ? 1 : 2,
      (title) => measure(counts.get(title) ?? 1, quick ? 2_000 : 10_000),
      progress,
    );
    return { "": results };
  },
};

/** @param {number} count @param {number} events @returns {Promise<Record<string, number>>} */
async function measure(count, events) {
  const worker = new Worker("channels.mjs", { processor: 0 });
  try {
    await worker.hear();
    const { heap: before } = await worker.ask("memory");
    await worker.ask("open", { count });
    const { heap } = await worker.ask("memory");
    await worker.ask("publish", { events: 2_000, step: 7_919 });
    const { cpu } = await worker.ask("publish", { events, step: 0 });
    const { cpu: scattered } = await worker.ask("publish", { events, step: 7_919 });
    // The memory of a single channel would be lost in the noise.
    return { cpu, scattered, ...(count > 1 && { heap: (heap - before) / count }) };
  } finally {
    await worker.stop();
  }
}

/** @param {number} count */
function titleOf(count) {
  return count === 1 ? "1 channel" : `${count.toLocaleString("en-GB")} channels`;
}
