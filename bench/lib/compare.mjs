import { join } from "node:path";
import { nameOf } from "../contenders.mjs";
import { summary } from "./rounds.mjs";
import { publishAndCount, withSession } from "./session.mjs";
import { format } from "./table.mjs";

const contenders = ["set", "hub-memory", "hub-sqlite", "hono-set"];
const connections = 500;
/** Smaller changes are not reported, however certain they are. */
const minChange = 0.03;

const figures = /** @type {const} */ ({
  cpu: "ns of processor time a delivery",
  "cpu-16": "the same, 16 events in a tick",
  accept: "µs of processor time to accept a connection",
  heap: "bytes of an idle connection",
  allocated: "bytes allocated a delivery",
});

/**
 * Measures two trees in pairs, in alternating order from round to round, and prints the changes.
 *
 * @param {{ before: string, now: string }} trees
 * @param {number} rounds
 * @returns {Promise<boolean>} True if a figure became worse.
 */
export async function compare(trees, rounds) {
  let isWorse = false;
  for (const contender of contenders) {
    const pairs = [];
    for (let round = 0; round < rounds; round++) {
      const of = (/** @type {string} */ tree) =>
        withSession(contender, connections, measure, { root: join(tree, "bench") });
      if (round % 2 === 0) pairs.push({ before: await of(trees.before), now: await of(trees.now) });
      else pairs.push({ now: await of(trees.now), before: await of(trees.before) });
    }
    console.log(`\n${nameOf(contender)}`);
    for (const [figure, unit] of /** @type {[keyof typeof figures, string][]} */ (Object.entries(figures))) {
      const before = summary(pairs.map((pair) => pair.before[figure])).median;
      const now = summary(pairs.map((pair) => pair.now[figure])).median;
      const verdict = judge(pairs.map((pair) => pair.now[figure] / pair.before[figure]));
      console.log(`  ${unit.padEnd(44)} ${format(before).padStart(8)} → ${format(now).padStart(8)}   ${verdict.text}`);
      isWorse ||= verdict.isWorse;
    }
  }
  return isWorse;
}

/**
 * A change is beyond noise if it has the same direction in every pair, and a minimum size. With nine pairs, chance alone makes
 * one figure in five hundred look worse.
 *
 * @param {number[]} ratios
 */
function judge(ratios) {
  const { median, low, high } = summary(ratios);
  const up = ratios.every((ratio) => ratio > 1) && median > 1 + minChange;
  const down = ratios.every((ratio) => ratio < 1) && median < 1 - minChange;
  const change = `${median >= 1 ? "+" : ""}${((median - 1) * 100).toFixed(1)} %`;
  const noise = `(middle half ${((low - 1) * 100).toFixed(1)} … ${((high - 1) * 100).toFixed(1)} %)`;
  return { isWorse: up, text: `${change.padStart(8)} ${noise}${up ? "  WORSE" : down ? "  better" : ""}` };
}

/** @param {import("./session.mjs").Session} session */
async function measure(session) {
  const { server, opening, before } = session;
  const idle = await server.ask("memory");
  await publishAndCount(session, { events: 100, size: 100 });
  const one = await publishAndCount(session, { events: 100, size: 100 });
  const many = await publishAndCount(session, { events: 800, perTick: 16, size: 100 });
  const { bytes } = await server.ask("allocated", { events: 41, size: 100 });
  return {
    cpu: one.cpu,
    "cpu-16": many.cpu,
    accept: opening.cpu / connections,
    heap: (idle.heap - before.heap) / connections,
    allocated: bytes / connections,
  };
}
