// Tables in the docs that are generated: the marks around each name the command that writes it.

/**
 * The page with another table between its marks.
 *
 * @param {string} page @param {string} name The name of the table, and of the npm script. @param {string} table
 */
export function between(page, name, table) {
  const [begin, end] = [`<!-- ${name}: npm run ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from === -1 || to < from) throw new Error(`The page lacks the marks around the table: ${begin} … ${end}`);
  return `${page.slice(0, from + begin.length)}\n${table}\n${page.slice(to)}`;
}
