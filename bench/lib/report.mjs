import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { contenders } from "../contenders.mjs";
import { printTable } from "./table.mjs";

const folder = fileURLToPath(new URL("../results/", import.meta.url));

/**
 * Prints the tables of a measure and writes its figures as JSON, with what they were measured on.
 *
 * @param {{ name: string, title: string, unit: string, control: string }} measure
 * @param {Record<string, any>} results By contender and figure, or by number of connections first.
 * @param {{ quick: boolean }} options
 */
export async function report(measure, results, { quick }) {
  const groups = Object.keys(results).every((key) => /^\d+$/.test(key)) ? Object.entries(results) : [["", results]];
  for (const [group, byContender] of groups) printGroup(measure, group, byContender);
  if (quick) return;
  mkdirSync(folder, { recursive: true });
  const content = { measure: measure.name, title: measure.title, unit: measure.unit, machine: machine(), results };
  writeFileSync(`${folder}${measure.name}.json`, `${JSON.stringify(content, null, 2)}\n`);
}

/**
 * @param {{ title: string, unit: string, control: string }} measure
 * @param {string} group
 * @param {Record<string, Record<string, { median: number, low: number, high: number }>>} byContender
 */
function printGroup({ title, unit, control }, group, byContender) {
  const order = [control, ...Object.keys(byContender).filter((name) => name !== control)];
  for (const figure of Object.keys(byContender[control])) {
    if (figure.startsWith("loader")) continue;
    printTable(
      `${title}${group && `, ${group} connections`}: ${figure}`,
      unitOf(figure, unit),
      order.map((name) => ({ name: nameOf(name), ...byContender[name][figure] })),
    );
  }
}

/**
 * @param {string} figure
 * @param {string} unit
 */
function unitOf(figure, unit) {
  if (figure.startsWith("rate")) return "deliveries/s";
  if (figure === "heap" || figure === "rss") return "bytes a connection";
  return figure === "accept" ? "µs a connection" : unit;
}

/** @param {string} name */
function nameOf(name) {
  return /** @type {Record<string, string>} */ (contenders)[name] ?? name;
}

/** What the figures were measured on. */
function machine() {
  const peers = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).dependencies;
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model ?? "unknown",
    processors: cpus().length,
    memory: `${Math.round(totalmem() / 1024 ** 3)} GiB`,
    kernel: execFileSync("uname", ["-sr"], { encoding: "utf8" }).trim(),
    node: process.version,
    peers,
  };
}
