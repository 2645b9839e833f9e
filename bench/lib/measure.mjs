/**
 * What one file of measures/ exports.
 *
 * @typedef {object} Measure
 * @property {string} name Of its files in results/, and for `--only`.
 * @property {string} title
 * @property {string} [by] What the groups of results differ in, a number; there is one group without a name otherwise.
 * @property {string} control Who the others are compared with.
 * @property {Record<string, Figure>} figures Those that are printed. JSON has all.
 * @property {readonly Plot[]} plots
 * @property {(options: RunOptions) => Promise<Groups>} run
 *
 * @typedef {{ title: string, unit: string }} Figure
 *
 * @typedef {object} Plot
 * @property {string} file Below results/, without its ending.
 * @property {string} kind `bars` of one group, or `lines` over all groups.
 * @property {string} figure
 * @property {string} [group]
 *
 * @typedef {{ quick: boolean, progress: (text: string) => void }} RunOptions
 *
 * @typedef {Record<string, import("./interleave.mjs").Results>} Groups By what they differ in; then by contender and figure.
 */
