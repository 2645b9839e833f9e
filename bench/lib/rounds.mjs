/**
 * @typedef {{ name: string, run: () => number | Promise<number> }} Contender `run` gives a cost, the smaller the better.
 */

/**
 * Runs contenders in turns, so that a change of the machine's speed hits all of them, and gives the median of each with the
 * spread between its quartiles. One round more is run first and not counted.
 *
 * @param {Contender[]} contenders
 * @param {number} rounds
 */
export async function compete(contenders, rounds) {
  const costs = contenders.map(() => /** @type {number[]} */ ([]));
  for (let round = 0; round <= rounds; round++) {
    // Each round begins with another one: who runs first after a pause has a cooler machine.
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (turn + round) % contenders.length;
      const cost = await contenders[index].run();
      if (round > 0) costs[index].push(cost);
    }
  }
  return contenders.map(({ name }, index) => ({ name, ...summary(costs[index]) }));
}

/** @param {number[]} values */
export function summary(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}
