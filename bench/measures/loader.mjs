import { available } from "../contenders.mjs";
import { interleave } from "../lib/interleave.mjs";
import { publishAndCount, withSession } from "../lib/session.mjs";

const contenders = available(["control-c", "control-chunk"]);

/** The capacity of the loader: its rate with the leanest sources, and how busy it was. */
export const loader = {
  name: "loader",
  title: "The loader's own limit, 100 B",
  by: "connections",
  control: "control-chunk",
  figures: {
    took: { title: "took", unit: "deliveries/s" },
    busy: { title: "busy", unit: "% of its processor" },
    could: { title: "could take, one event in a read", unit: "deliveries/s" },
    "could-16": { title: "could take, 16 events in a read", unit: "deliveries/s" },
  },
  plots: [],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    /** @type {import("../lib/measure.mjs").Groups} */
    const groups = {};
    for (const connections of quick ? [1_000] : [1_000, 10_000]) {
      groups[connections] = await interleave(
        contenders,
        quick ? 1 : 3,
        (contender) => withSession(contender, connections, measure),
        progress,
      );
    }
    return groups;
  },
};

/** @param {import("../lib/session.mjs").Session} session */
async function measure(session) {
  const events = Math.ceil(100_000 / session.connections);
  await publishAndCount(session, { events, size: 100 });
  const one = await publishAndCount(session, { events, size: 100 });
  // As one event with the size of sixteen.
  const many = await publishAndCount(session, { events, size: 1_600 + 15 * 19 });
  return {
    took: one.rate,
    busy: 100 * one.loaderShare,
    could: one.rate / one.loaderShare,
    "could-16": (16 * many.rate) / many.loaderShare,
  };
}
