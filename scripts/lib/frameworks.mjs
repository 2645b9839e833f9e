// The table in docs/frameworks.md, generated from what the suite in test/contracts/serving-suite.ts recorded when it passed.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";
import { between } from "./tables.mjs";

/** @typedef {{ name: string, example: string, packages: Record<string, string>, except: Record<string, string> }} Result */

const results = join(root, "test/frameworks/results");

/** The package whose version is shown, if it is not named like the example; by row or by example. @type {Record<string, string>} */
const mainPackage = {
  "Hono on Workers, Durable Object": "hono",
  "nest-fastify": "@nestjs/core",
  nest: "@nestjs/core",
  oak: "@oakserver/oak",
  sveltekit: "@sveltejs/kit",
  "ts-rest": "@ts-rest/express",
  workers: "wrangler",
};

/** The page with its table brought up to date. @param {string} page */
export function withTable(page) {
  return between(page, "frameworks", table());
}

function table() {
  const rows = readdirSync(results).map((file) => row(JSON.parse(readFileSync(join(results, file), "utf8"))));
  return ["| framework | version | how | the suite passes |", "|---|---|---|---|", ...rows].join("\n");
}

/** @param {Result} result */
function row({ name, example, packages, except }) {
  const version = packages[mainPackage[name] ?? mainPackage[example] ?? example] ?? "";
  const cells = [`[${name}](../examples/${example})`, version, how(example), outcome(except)];
  return `| ${cells.join(" | ")} |`;
}

/** @param {Result["except"]} except */
function outcome(except) {
  const reasons = [...new Set(Object.values(except))].map((reason) => {
    const scenarios = Object.keys(except).filter((what) => except[what] === reason);
    return `${scenarios.map((what) => `“${what}”`).join(" and ")}: ${reason}`;
  });
  return reasons.length === 0 ? "all" : `all but ${reasons.join("; ")}`;
}

/** The subpaths that the example and the application of the suite import. @param {string} example */
function how(example) {
  const text = ["examples", "test/frameworks/fixtures"]
    .map((parent) => sourceBelow(join(root, parent, example)))
    .join("");
  const found = adapters.filter((name) => text.includes(`from "sourcecast/${name}"`));
  return found.length === 0 ? "`Response`" : found.map((name) => `\`sourcecast/${name}\``).join(", ");
}

const adapters = ["node", "express", "fastify", "oak", "ts-rest"];

/** @param {string} folder */
function sourceBelow(folder) {
  const names = /** @type {string[]} */ (readdirSync(folder, { recursive: true }));
  const sources = names.filter((name) => /\.(m?js|jsx|ts|tsx|svelte)$/.test(name) && !/node_modules|dist/.test(name));
  return sources.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
}
