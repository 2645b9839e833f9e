/**
 * Prints results with their ratio to the first one.
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

/** @param {number} value */
export function format(value) {
  if (Math.abs(value) >= 10_000) return Math.round(value).toLocaleString("en-GB").replaceAll(",", " ");
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
