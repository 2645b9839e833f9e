/**
 * @typedef {{ name: string, run: () => number | Promise<number> }} Contender `run` returns a cost: less is better.
 */

/** @typedef {{ median: number, low: number, high: number, rounds: number }} Summary `low` and `high` are the quartiles. */

/**
 * Runs contenders in turns, so that a change of the machine's speed affects all of them. Returns the median of each and the
 * spread between its quartiles. A first round is not counted.
 *
 * @param {Contender[]} contenders
 * @param {number} rounds
 */
export async function compete(contenders, rounds) {
  const runs = contenders.map(({ name, run }) => ({ name, run, costs: /** @type {number[]} */ ([]) }));
  for (let round = 0; round <= rounds; round++) {
    for (const { run, costs } of rotated(runs, round)) {
      const cost = await run();
      if (round > 0) costs.push(cost);
    }
  }
  return runs.map(({ name, costs }) => ({ name, ...summary(costs) }));
}

/**
 * The same items in another order: the first one after a pause runs on a cooler machine, so each round starts with another.
 *
 * @template T
 * @param {readonly T[]} all
 * @param {number} by
 */
export function rotated(all, by) {
  const start = by % all.length;
  return [...all.slice(start), ...all.slice(0, start)];
}

/** @param {number[]} values @returns {Summary} */
export function summary(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ share) => {
    const place = (sorted.length - 1) * share;
    const [below = Number.NaN, above = below] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
    return below + (above - below) * (place % 1);
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75), rounds: values.length };
}
