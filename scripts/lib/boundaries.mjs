// Who may import whom (ARCHITECTURE.md, layers). Globals are not looked at here: tsconfig.core.json and biome.json
// refuse those. Imports are found by text: Biome's formatting puts each at the start of a line.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** @typedef {"core" | "platform" | "log" | "adapter" | "client" | "testing"} Layer */
/** @typedef {{ file: string, line: number, specifier: string, typeOnly: boolean }} Import */

/** Layer of a file, given relative to src. @param {string} file @returns {Layer} */
export function layerOf(file) {
  if (file.startsWith("adapters/")) return "adapter";
  if (file.startsWith("client/")) return "client";
  if (file.startsWith("testing/")) return "testing";
  if (/^sinks\/node(-|\.)/.test(file)) return "platform";
  if (/^logs\/(sqlite|redis|nats|postgres)(\.ts$|\/|-)/.test(file)) return "log";
  return "core";
}

/** Layers whose modules a layer may import; `false` in `node` forbids Node's own modules. */
const rules = /** @type {Record<Layer, { layers: Layer[], node: boolean, why: string }>} */ ({
  core: {
    layers: ["core"],
    node: false,
    why: "The core runs everywhere and knows no adapter, log or client",
  },
  platform: { layers: ["core", "platform"], node: true, why: "A sink knows its platform and the core alone" },
  adapter: { layers: ["core", "platform"], node: true, why: "Adapters import the core and never each other" },
  log: { layers: ["core"], node: false, why: "Logs import the core and never each other" },
  client: {
    layers: ["client"],
    node: false,
    why: "The client imports types, contract and wire rules of the server, no more",
  },
  testing: { layers: ["core", "platform", "log", "adapter", "client", "testing"], node: true, why: "" },
});

/** What the client may import of the server for its value: the contract and the rules of the wire. */
const sharedWithClient = /^(contract|encode|errors|wire)(\.ts$|\/)/;
/** Packages that a binding is for: its own framework, and only there. @type {Record<string, RegExp>} */
const bindings = {
  "client/react": /^react($|\/)/,
  "client/svelte": /^svelte($|\/)/,
  "client/vue": /^(vue|@vue\/)/,
};
/** Logs that need a module of Node. */
const logsOnNode = /^logs\/sqlite/;

/** @param {string} root @returns {string[]} one line for each import that is not allowed, empty when all are */
export function boundaryViolations(root) {
  return importsBelow(join(root, "src")).flatMap((found) => {
    const why = violation(found);
    return why ? [`src/${found.file}:${found.line} imports "${found.specifier}". ${why}`] : [];
  });
}

/** @param {Import} found @returns {string | undefined} the rule that it breaks */
export function violation({ file, specifier, typeOnly }) {
  const layer = layerOf(file);
  const { layers, node, why } = rules[layer];
  if (specifier.startsWith("node:")) return node || logsOnNode.test(file) ? undefined : why;
  if (!specifier.startsWith(".")) {
    const binding = Object.entries(bindings).find(([name]) => file.startsWith(name))?.[1];
    return binding?.test(specifier) || layer === "testing" ? undefined : "There are no dependencies: type by structure";
  }
  const target = posix.join(posix.dirname(file), specifier);
  if (target.startsWith("..")) return "Nothing outside of src is part of the package";
  const other = layerOf(target);
  if (layer === "client") {
    return other === "client" || (other === "core" && (typeOnly || sharedWithClient.test(target))) ? undefined : why;
  }
  if (layer === "adapter" && other === "adapter") return sameModule(file, target) ? undefined : why;
  if (file.startsWith("logs/") && target.startsWith("logs/")) {
    return target === "logs/log.ts" || sameModule(file, target)
      ? undefined
      : "Of logs/ only log.ts, the contract, is shared";
  }
  return layers.includes(other) ? undefined : why;
}

/** @param {string} src @returns {Import[]} */
export function importsBelow(src) {
  if (!existsSync(src)) return [];
  const names = /** @type {string[]} */ (readdirSync(src, { recursive: true }));
  return names
    .filter((name) => /\.(ts|tsx)$/.test(name))
    .sort()
    .flatMap((name) => importsOf(name.replaceAll("\\", "/"), readFileSync(join(src, name), "utf8")));
}

/** @param {string} file @param {string} text @returns {Import[]} */
export function importsOf(file, text) {
  const statement = /^[ \t]*(?:import|export)\s+(type\s)?(?:[^;"'`]*?\bfrom\s*)?["']([^"']+)["']/gm;
  const call = /^(?![ \t]*(?:\*|\/\/)).*?\b(?:import|require)\(\s*["']([^"']+)["']/gm;
  const at = (/** @type {number} */ index) => text.slice(0, index).split("\n").length;
  return [
    ...[...text.matchAll(statement)].map((m) => ({
      file,
      line: at(m.index),
      specifier: m[2] ?? "",
      typeOnly: !!m[1],
    })),
    ...[...text.matchAll(call)].map((m) => ({
      file,
      line: at(m.index),
      specifier: m[1] ?? "",
      typeOnly: false,
    })),
  ];
}

/** A module that has grown into a folder is still one module: adapters/oak.ts and adapters/oak/*. @param {string} a @param {string} b */
function sameModule(a, b) {
  const name = (/** @type {string} */ path) => path.split("/").slice(0, 2).join("/").replace(/\.ts$/, "");
  return name(a) === name(b);
}
