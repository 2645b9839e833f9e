import { existsSync, readFileSync } from "node:fs";
import { results } from "./report.mjs";

/**
 * The median of a figure in the results of the last full run, or `NaN` if it was not measured.
 *
 * @param {string} measure
 * @param {string} group
 * @param {string} contender
 * @param {string} figure
 * @returns {number}
 */
export function medianOf(measure, group, contender, figure) {
  const file = `${results}${measure}.json`;
  if (!existsSync(file)) return Number.NaN;
  return JSON.parse(readFileSync(file, "utf8")).groups[group]?.[contender]?.[figure]?.median ?? Number.NaN;
}
