import { inGroups } from "../log/publish.mjs";

/** The rate of logs, one by one and in bursts, compared with a hand-written transaction. */
export const log = {
  name: "log",
  title: "Publishing to a log, 100 channels",
  by: "events in a burst",
  control: "by hand: node:sqlite, a transaction for each row",
  figures: { rate: { title: "rate", unit: "events/s" } },
  plots: [
    { file: "log-one-by-one", kind: "bars", figure: "rate", group: "1" },
    { file: "log-bursts", kind: "bars", figure: "rate", group: "1000" },
  ],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick }) {
    return {
      1: await inGroups(1, quick ? 100 : 600, quick ? 1 : 5),
      1000: await inGroups(1_000, quick ? 3 : 12, quick ? 1 : 5),
    };
  },
};
