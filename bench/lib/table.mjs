/**
 * Prints results and their ratio to the first one.
 *
 * @param {string} title
 * @param {string} unit
 * @param {{ name: string, median: number, low: number, high: number }[]} results
 */
export function printTable(title, unit, results) {
  const control = results[0]?.median ?? Number.NaN;
  const rows = results.map(({ name, median, low, high }) => ({
    name,
    median: format(median),
    spread: `${format(low)} – ${format(high)}`,
    ratio: `${(median / control).toFixed(2)} ×`,
  }));
  const head = { name: "", median: unit, spread: "middle half", ratio: "ratio" };
  const width = (/** @type {keyof typeof head} */ column) =>
    Math.max(...[head, ...rows].map((row) => row[column].length));
  console.log(`\n${title}`);
  for (const { name, median, spread, ratio } of [head, ...rows]) {
    const cells = [name.padEnd(width("name")), median.padStart(width("median")), spread.padStart(width("spread"))];
    console.log(`  ${cells.join("  ")}  ${ratio.padStart(width("ratio"))}`);
  }
}

/**
 * Prints several figures of each name side by side: the median, half the spread of the middle half in per cent, and the
 * ratio to the first name.
 *
 * @param {string} title
 * @param {string[]} names
 * @param {{ title: string, unit: string, cells: ({ median: number, low: number, high: number } | undefined)[] }[]} columns
 */
export function printColumns(title, names, columns) {
  const texts = columns.map(({ title, unit, cells }) => {
    const control = cells.find((cell) => cell !== undefined)?.median ?? Number.NaN;
    return [title, unit, ...cells.map((cell) => (cell === undefined ? "–" : cellOf(cell, control)))];
  });
  const widths = texts.map((column) => Math.max(...column.map((text) => text.length)));
  const first = Math.max(...names.map((name) => name.length));
  console.log(`\n${title}`);
  for (const [row, name] of ["", "", ...names].entries()) {
    const cells = texts.map((column, index) => (column[row] ?? "").padStart(widths[index] ?? 0));
    console.log(`  ${[name.padEnd(first), ...cells].join("   ")}`);
  }
}

/**
 * Prints the figures of contenders that were measured in turn.
 *
 * @param {string} title
 * @param {import("./interleave.mjs").Results} results
 * @param {Record<string, string>} units By figure.
 */
export function printFigures(title, results, units) {
  const names = Object.keys(results);
  const columns = Object.entries(units).map(([figure, unit]) => ({
    title: figure,
    unit,
    cells: names.map((name) => results[name]?.[figure]),
  }));
  printColumns(title, names, columns);
}

/** @param {{ median: number, low: number, high: number }} summary @param {number} control */
function cellOf({ median, low, high }, control) {
  const spread = median === 0 ? 0 : Math.round((50 * (high - low)) / Math.abs(median));
  const ratio = Number.isFinite(median / control) ? (median / control).toFixed(2) : "–";
  return `${format(median)} ±${String(spread).padEnd(2)}% ${ratio.padStart(6)} ×`;
}

/** @param {number} value */
export function format(value) {
  if (Math.abs(value) >= 10_000) return Math.round(value).toLocaleString("en-GB").replaceAll(",", " ");
  return Number.isInteger(value) || Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
