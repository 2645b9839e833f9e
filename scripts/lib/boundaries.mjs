// Which file of src may import which. The rules are data: `layers` is the first picture of ARCHITECTURE.md, and the tests
// compare tsconfig.*.json and biome.json with `platformFiles`. Imports are found by text, because the formatter puts each
// one at the start of a line.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** @typedef {{ file: string, line: number, specifier: string, typeOnly: boolean }} Import */

/** The files and folders at the top of src. A file imports only its own layer and layers listed before it. */
export const layers = [
  "base",
  "wire",
  "http",
  "sinks",
  "compression",
  "source",
  "log",
  "logs",
  "hub",
  "presence",
  "opentelemetry.ts",
  "client",
  "adapters",
  "ai",
  "mcp",
  "bindings",
  "cli",
  "testing",
  "index.ts",
];

/** Files that may know Node or a framework, as globs of tsconfig. Everything else is the core and runs everywhere. */
export const platformFiles = [
  "src/sinks/node*.ts",
  "src/adapters",
  "src/logs/sqlite",
  "src/logs/redis",
  "src/logs/nats",
  "src/logs/postgres",
  "src/cli",
  "src/testing",
  "src/bindings",
];

/** Layers whose modules never import each other. A module is a file, a folder, or both under one name. */
const siblings = ["adapters", "logs", "bindings"];

/** Modules that the others of their layer may import: the kit of third-party adapters, the common parts of bindings. */
const kits = ["adapters/adapter.ts", "bindings/on-demand.ts", "bindings/open.ts"];

/** Layers that a browser loads, and all that each of them may import. */
const browserLayers = /** @type {Record<string, string[]>} */ ({
  client: ["base", "wire", "client"],
  bindings: ["base", "wire", "client", "bindings"],
});

/** Packages that a binding may import: the framework that it binds to. */
const frameworks = /** @type {Record<string, RegExp>} */ ({
  "bindings/react": /^react($|\/)/,
  "bindings/svelte": /^svelte($|\/)/,
  "bindings/vue": /^(vue|@vue\/)/,
});

/**
 * Imports that break a rule today, as "file -> target". The list must become empty. An exception that excuses nothing is
 * an error too, so the list only gets shorter.
 */
export const exceptions = /** @type {string[]} */ ([]);

/** @param {string} root @returns {string[]} one line for each broken rule */
export function boundaryViolations(root) {
  return violations(importsBelow(join(root, "src")), exceptions);
}

/** @param {Import[]} imports @param {string[]} excused edges that may break a rule @returns {string[]} */
export function violations(imports, excused) {
  const allowed = imports.filter((item) => !excused.includes(edgeOf(item)));
  const isNeeded = (/** @type {Import} */ item) =>
    violation(item) !== undefined || shortestCircle(graphOf([...allowed, item]), item.file) !== undefined;
  const idle = excused.filter((edge) => !imports.some((item) => edgeOf(item) === edge && isNeeded(item)));
  return [
    ...allowed.flatMap((item) => {
      const why = violation(item);
      return why ? [`src/${item.file}:${item.line} imports "${item.specifier}". ${why}`] : [];
    }),
    ...cycles(allowed).map((circle) => `Import cycle: ${[...circle, circle[0]].join(" -> ")}`),
    ...idle.map((edge) => `The exception "${edge}" is no longer needed: remove it from scripts/lib/boundaries.mjs`),
  ];
}

/** @param {Import} item @returns {string | undefined} the rule that this import breaks */
export function violation(item) {
  const { file, specifier } = item;
  const layer = layerOf(file);
  if (!layers.includes(layer)) return `"${layer}" is not a layer: add it to the list in scripts/lib/boundaries.mjs`;
  if (specifier.startsWith("node:")) {
    return isPlatform(file) && layer !== "bindings"
      ? undefined
      : "The core runs everywhere and imports no node: module";
  }
  const target = targetOf(item);
  if (target === undefined) {
    const binding = Object.entries(frameworks).find(([name]) => moduleOf(file) === name)?.[1];
    return binding?.test(specifier) ? undefined : "The package has no dependencies: type by structure";
  }
  if (target.startsWith("..")) return "Nothing outside of src is part of the package";
  const other = layerOf(target);
  const allowed = browserLayers[layer];
  if (allowed && !allowed.includes(other)) return `${layer}/ imports only ${allowed.join(", ")}`;
  if (layers.indexOf(other) > layers.indexOf(layer) || !layers.includes(other)) {
    return `"${layer}" stands before "${other}" in the list of layers`;
  }
  if (!isPlatform(file) && isPlatform(target)) return "The core imports no file that knows a platform";
  if (layer === other && siblings.includes(layer) && moduleOf(file) !== moduleOf(target) && !kits.includes(target)) {
    return `The modules of ${layer}/ never import each other`;
  }
  return undefined;
}

/**
 * Circles of imports, types included: files that need each other are one subject in several places.
 *
 * @param {Import[]} imports
 * @returns {string[][]} a shortest circle through each file that has one, without those that an earlier circle names
 */
export function cycles(imports) {
  const graph = graphOf(imports);
  /** @type {string[][]} */
  const found = [];
  for (const start of [...graph.keys()].sort()) {
    if (found.flat().includes(start)) continue;
    const circle = shortestCircle(graph, start);
    if (circle) found.push(circle);
  }
  return found;
}

/** Layer of a file, whose path is relative to src. @param {string} file */
export function layerOf(file) {
  return file.split("/", 1)[0] ?? "";
}

/** @param {string} file relative to src */
export function isPlatform(file) {
  return platformFiles.some((glob) =>
    glob.includes("*")
      ? new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}$`).test(`src/${file}`)
      : `src/${file}`.startsWith(`${glob}/`),
  );
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

/** The imported file, relative to src; `undefined` for a package. @param {{ file: string, specifier: string }} item */
function targetOf({ file, specifier }) {
  return specifier.startsWith(".") ? posix.join(posix.dirname(file), specifier) : undefined;
}

/** `adapters/oak` for adapters/oak.ts and for adapters/oak/context.ts. @param {string} file */
function moduleOf(file) {
  return file.split("/").slice(0, 2).join("/").replace(/\.ts$/, "");
}

/** @param {Import} item */
function edgeOf(item) {
  return `${item.file} -> ${targetOf(item)}`;
}

/** @param {Import[]} imports @returns {Map<string, Set<string>>} the files that each file imports */
function graphOf(imports) {
  /** @type {Map<string, Set<string>>} */
  const graph = new Map();
  for (const item of imports) {
    const target = targetOf(item);
    if (target === undefined) continue;
    const targets = graph.get(item.file);
    if (targets) targets.add(target);
    else graph.set(item.file, new Set([target]));
  }
  return graph;
}

/** @param {Map<string, Set<string>>} graph @param {string} start @returns {string[] | undefined} */
function shortestCircle(graph, start) {
  /** @type {Map<string, string>} */
  const cameFrom = new Map();
  const queue = [start];
  for (const file of queue) {
    for (const target of graph.get(file) ?? []) {
      if (target === start) {
        const circle = [file];
        for (let at = cameFrom.get(file); at !== undefined; at = cameFrom.get(at)) circle.unshift(at);
        return circle;
      }
      if (cameFrom.has(target)) continue;
      cameFrom.set(target, file);
      queue.push(target);
    }
  }
  return undefined;
}
