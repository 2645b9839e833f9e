/**
 * Prints results with their ratio to the first one.
 *
 * @param {string} title
 * @param {string} unit
 * @param {{ name: string, median: number, low: number, high: number }[]} results
 */
export function printTable(title, unit, results) {
  const control = results[0].median;
  const rows = results.map(({ name, median, low, high }) => [
    name,
    format(median),
    `${format(low)} – ${format(high)}`,
    `${(median / control).toFixed(2)} ×`,
  ]);
  const head = ["", unit, "middle half", "ratio"];
  const widths = head.map((text, column) => Math.max(text.length, ...rows.map((row) => row[column].length)));
  console.log(`\n${title}`);
  for (const row of [head, ...rows]) {
    const cells = row.map((text, column) => (column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column])));
    console.log(`  ${cells.join("  ")}`);
  }
}

/** @param {number} value */
function format(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
