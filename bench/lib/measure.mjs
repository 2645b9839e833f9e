/**
 * The export of a file in `measures/`: one benchmark.
 *
 * @typedef {object} Measure
 * @property {string} name The name of its files in results/, and in `--only`.
 * @property {string} title
 * @property {string} [by] The number that distinguishes groups of results. Without it there is one group without a name.
 * @property {string} control The contender that the others are compared with.
 * @property {Record<string, Figure>} figures The figures that are printed. JSON has all of them.
 * @property {readonly Plot[]} plots
 * @property {(options: RunOptions) => Promise<Groups>} run
 *
 * @typedef {{ title: string, unit: string }} Figure
 *
 * @typedef {object} Plot
 * @property {string} file Its path in results/, without extension.
 * @property {string} kind `bars` of one group, or `lines` over all groups.
 * @property {string} figure
 * @property {string} [group]
 *
 * @typedef {{ quick: boolean, progress: (text: string) => void }} RunOptions
 *
 * @typedef {Record<string, import("./interleave.mjs").Results>} Groups By their number, then by contender and figure.
 */
