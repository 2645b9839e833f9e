import { summary } from "./rounds.mjs";

/**
 * Runs all contenders in turn, round after round, so that a change of the machine's speed hits all of them.
 *
 * @param {readonly string[]} contenders
 * @param {number} rounds
 * @param {(contender: string) => Promise<Record<string, number>>} measure Several figures of one run, by name.
 * @param {(text: string) => void} progress
 * @returns {Promise<Record<string, Record<string, { median: number, low: number, high: number }>>>} By contender and figure.
 */
export async function interleave(contenders, rounds, measure, progress) {
  /** @type {Record<string, Record<string, number[]>>} */
  const values = Object.fromEntries(contenders.map((contender) => [contender, {}]));
  for (let round = 0; round < rounds; round++) {
    for (const contender of contenders) {
      progress(`${contender}, round ${round + 1} of ${rounds}`);
      const figures = await measure(contender);
      for (const [name, value] of Object.entries(figures)) {
        values[contender][name] ??= [];
        values[contender][name].push(value);
      }
    }
  }
  return Object.fromEntries(
    Object.entries(values).map(([contender, figures]) => [
      contender,
      Object.fromEntries(Object.entries(figures).map(([name, all]) => [name, summary(all)])),
    ]),
  );
}
