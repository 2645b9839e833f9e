import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { nameOf } from "../contenders.mjs";
import { machine } from "./machine.mjs";
import { draw } from "./plot.mjs";
import { format, printColumns } from "./table.mjs";

/** The folder of the results. */
export const results = fileURLToPath(new URL("../results/", import.meta.url));

const method = [
  "Server and load generator are processes of their own, each pinned to one processor.",
  "Rounds interleave the contenders, and each round begins with another one; figures are medians, low and high are quartiles.",
  "Processor time is user and system time of the server's process, all of its threads, from the first publish to the last write.",
  "Ratios within one run are what counts: figures of different runs and machines are not comparable.",
];

/**
 * Prints the tables of a benchmark. Writes its figures as JSON, with the machine, and its plots.
 *
 * @param {import("./measure.mjs").Measure} measure
 * @param {import("./measure.mjs").Groups} groups
 * @param {{ write: boolean, seconds: number }} options
 */
export function report(measure, groups, { write, seconds }) {
  for (const [group, byContender] of Object.entries(groups)) printGroup(measure, group, byContender);
  if (!write) return;
  mkdirSync(results, { recursive: true });
  const { name, title, by, control, figures } = measure;
  const content = { name, title, by, control, figures, method, machine: { ...machine(), seconds }, groups };
  writeFileSync(`${results}${name}.json`, `${JSON.stringify(content, round, 2)}\n`);
  for (const plot of measure.plots) writeFileSync(`${results}${plot.file}.svg`, draw(plot, measure, groups));
}

/**
 * One table: a row for each contender, a column for each figure.
 *
 * @param {import("./measure.mjs").Measure} measure
 * @param {string} group
 * @param {import("./interleave.mjs").Results} byContender
 */
function printGroup({ title, by, control, figures }, group, byContender) {
  const order = [control, ...Object.keys(byContender).filter((name) => name !== control)];
  printColumns(
    `${title}${by === undefined ? "" : `, ${format(Number(group))} ${by}`}`,
    order.map(nameOf),
    Object.entries(figures).map(([figure, { title, unit }]) => ({
      title,
      unit,
      cells: order.map((contender) => byContender[contender]?.[figure]),
    })),
  );
}

/** Four digits say all that there is. @param {string} _key @param {unknown} value */
function round(_key, value) {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
