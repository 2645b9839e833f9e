import { rotated, summary } from "./rounds.mjs";

/** @typedef {Record<string, import("./rounds.mjs").Summary>} Figures By name. */
/** @typedef {Record<string, Figures>} Results By contender. */

/**
 * Runs all contenders in turn, round after round, so that a change of the machine's speed hits all of them.
 *
 * @param {readonly string[]} contenders
 * @param {number} rounds
 * @param {(contender: string) => Promise<Record<string, number>>} measure Several figures of one run, by name; `NaN` for one
 * that this contender does not have.
 * @param {(text: string) => void} progress
 * @returns {Promise<Results>}
 */
export async function interleave(contenders, rounds, measure, progress) {
  const runs = contenders.map((contender) => ({ contender, values: /** @type {Map<string, number[]>} */ (new Map()) }));
  for (let round = 0; round < rounds; round++) {
    for (const { contender, values } of rotated(runs, round)) {
      progress(`${contender}, round ${round + 1} of ${rounds}`);
      for (const [name, value] of Object.entries(await measure(contender))) {
        if (!Number.isNaN(value)) values.set(name, [...(values.get(name) ?? []), value]);
      }
    }
  }
  return Object.fromEntries(
    runs.map(({ contender, values }) => [
      contender,
      Object.fromEntries(Array.from(values, ([name, all]) => [name, summary(all)])),
    ]),
  );
}

/**
 * The figures of one group, for benchmarks that measure several groups in one session: the names of their figures end in the
 * group.
 *
 * @param {Results} results
 * @param {number} group
 * @returns {Results}
 */
export function groupOf(results, group) {
  const end = ` ${group}`;
  return Object.fromEntries(
    Object.entries(results).map(([contender, figures]) => {
      const own = Object.entries(figures).filter(([name]) => name.endsWith(end));
      return [contender, Object.fromEntries(own.map(([name, summary]) => [name.slice(0, -end.length), summary]))];
    }),
  );
}
