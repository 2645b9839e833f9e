// The tables of the docs that come from bench/results. Each stands between two comments that name it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/lib/paths.mjs";
import { nameOf } from "../contenders.mjs";
import { medianOf } from "./figures.mjs";
import { goalTable } from "./goals.mjs";

const connections = "10000";
/** Headers of IPv4 and of TCP with its time stamps, for one packet. */
const packetHeaderBytes = 52;

const tables = { goals: goalTable, deliveries: deliveryTable, bill: billTable };

/** Writes all tables into the pages of the docs that have a place for them. */
export function writePages() {
  for (const page of ["docs/performance.md", "README.md"]) {
    const path = join(root, page);
    let text = readFileSync(path, "utf8");
    for (const [name, table] of Object.entries(tables)) {
      const place = new RegExp(`(<!-- ${name}\\b.*? -->\\n).*?(?=<!-- /${name} -->)`, "s");
      text = text.replace(place, (_all, start) => `${start}\n${table(page)}\n\n`);
    }
    writeFileSync(path, text);
  }
}

/** A delivery in server CPU time, the cheapest first. @param {string} page */
function deliveryTable(page) {
  const all = ["control-c", "set", "hub-memory", "hub-sqlite", "control-chunk", "control-write", "better-sse", "h3"];
  const few = ["set", "hub-memory", "hub-sqlite", "control-write", "better-sse"];
  const rows = [...(page === "README.md" ? few : all), "hono-stream-sse"]
    .map((contender) => ({ contender, cost: medianOf("fan-out", connections, contender, "cpu-100") }))
    .filter(({ cost }) => !Number.isNaN(cost))
    .sort((a, b) => a.cost - b.cost);
  const own = medianOf("fan-out", connections, "set", "cpu-100");
  const lines = rows.map(({ contender, cost }) => {
    const [name, microseconds, ratio] = [nameOf(contender), `${(cost / 1_000).toFixed(1)} µs`, (cost / own).toFixed(2)];
    return contender === "set"
      ? `| **${name}** | **${microseconds}** | **1** |`
      : `| ${name} | ${microseconds} | ${ratio} × |`;
  });
  return ["| server CPU time per delivery | | |", "|---|--:|--:|", ...lines].join("\n");
}

/** The figures that decide what a deployment costs, for a set and for a hub on memory. */
function billTable() {
  /** @type {[title: string, value: (contender: string) => number, unit?: string][]} */
  const rows = [
    ["connections per GB of the process", (who) => 1e9 / medianOf("connections", connections, who, "rss")],
    [
      "kernel memory per connection",
      // The figure is for both ends.
      (who) => medianOf("connections", connections, who, "kernel") / 2_000,
      " kB",
    ],
    ["deliveries per second and core", (who) => 1e9 / medianOf("fan-out", connections, who, "cpu-100")],
    ["the same with 16 events per tick", (who) => 1e9 / medianOf("bursts", "16", who, "cpu")],
    ["connections accepted per second and core", (who) => 1e6 / medianOf("connections", connections, who, "accept")],
    [
      "egress per million deliveries, one event per packet",
      (who) => medianOf("fan-out", connections, who, "wire-100") + packetHeaderBytes,
      " MB",
    ],
  ];
  const lines = rows.flatMap(([title, value, unit = ""]) => {
    const values = ["set", "hub-memory"].map(value);
    if (values.some(Number.isNaN)) return [];
    return [`| ${title} | ${values.map((figure) => `${rounded(figure)}${unit}`).join(" | ")} |`];
  });
  return ["| | a set | a hub on memory |", "|---|--:|--:|", ...lines].join("\n");
}

/** Two digits: the precision of a rule of thumb. @param {number} value */
function rounded(value) {
  return Number(value.toPrecision(2)).toLocaleString("en-US");
}
