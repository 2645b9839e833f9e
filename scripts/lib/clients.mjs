// The table of published clients in docs/other-protocols.md, generated from the results that test/clients recorded.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { between } from "./tables.mjs";

/**
 * @typedef {{ package: string, version: string, api: string, method: string, control: boolean,
 *   end: { type?: string, data: unknown } | null, atCut: Record<"source" | "set" | "channel", string> }} Result
 */

const results = join(root, "test/clients/results");

/** The page with its table brought up to date. @param {string} page */
export function withTable(page) {
  return between(page, "clients", table());
}

function table() {
  const rows = readdirSync(results).map((file) => JSON.parse(readFileSync(join(results, file), "utf8")));
  // Clients of a kind stand together: those that resume come first.
  const sorted = rows.toSorted((a, b) => kind(a) - kind(b) || a.package.localeCompare(b.package));
  const head = "| client | version | reads with | `control.end` | a lost connection |\n|---|---|---|---|---|";
  return [head, ...sorted.map(row)].join("\n");
}

/** @param {Result} result */
function kind({ control, atCut }) {
  return (control ? 2 : 0) + (atCut.channel === "resumes" ? 0 : 1);
}

/** @param {Result} result */
function row({ package: name, version, api, method, control, end, atCut }) {
  const cells = [`\`${name}\``, version, `${api}, ${method}`, control ? endOf(end) : "not needed", lost(atCut)];
  return `| ${cells.join(" | ")} |`;
}

/** @param {Result["end"]} end */
function endOf(end) {
  if (end === null) return "none";
  return end.type === undefined ? `\`data: ${end.data}\`` : `type \`${end.type}\``;
}

/** @param {Result["atCut"]} atCut */
function lost({ source, set, channel }) {
  if (source !== channel) throw new Error(`A source and a channel differ: ${source}, ${channel}`);
  const known = words[channel];
  if (known !== undefined) return set === "continues" ? known : `${known}; without ids, \`${set}\``;
  return `\`${channel}\``;
}

/** @type {Record<string, string>} */
const words = {
  resumes: "resumes",
  "starts over": "asks again without a position",
};
