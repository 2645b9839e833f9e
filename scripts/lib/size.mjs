// The sizes of bundles: everything reachable from an import, minified and compressed, without the frameworks of bindings.
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./paths.mjs";

/** Measured: all of the core, the part of it that an application without a hub uses, and the clients. */
export const parts = {
  core: 'export * from "./index.js";',
  parser: 'export { EventStreamParser } from "./wire/index.js";',
  subscribe: 'export { subscribe } from "./client/index.js";',
  eventsource: 'export { EventSource } from "./client/eventsource.js";',
  tabs: 'export { openTabs } from "./chunks/tabs.js";',
  sources: 'export { EventSource, EventSourceSet, ServerSentEvent } from "./index.js";',
  redis: 'export * from "./logs/redis/index.js";',
  postgres: 'export * from "./logs/postgres/index.js";',
  nats: 'export * from "./logs/nats/index.js";',
  ai: 'export * from "./ai/index.js";',
  mcp: 'export * from "./mcp/index.js";',
  react: 'export * from "./bindings/react.js";',
  svelte: 'export * from "./bindings/svelte.js";',
  "svelte/store": 'export * from "./bindings/svelte/store.js";',
  vue: 'export * from "./bindings/vue.js";',
};

/** A part is measured by the bytes that it adds to this one, where it has one. @type {Record<string, string>} */
const bases = Object.fromEntries([
  ...["tabs", "react", "svelte", "svelte/store", "vue"].map((name) => [
    name,
    'export { subscribe } from "./client/index.js";',
  ]),
  ...["ai", "mcp"].map((name) => [name, 'export * from "./index.js";']),
]);

/** Bytes with gzip that a part may never exceed, however the budget is written. @type {Record<string, number>} */
export const ceilings = { parser: 1_400, react: 1_000, svelte: 1_000, "svelte/store": 1_000, vue: 1_000 };

/** @param {keyof typeof parts} part @returns {Promise<{ minified: number, gzip: number }>} bytes */
export async function sizeOf(part) {
  const base = bases[part];
  const whole = await bundleSize(base === undefined ? parts[part] : `${base}${parts[part]}`);
  const without = base === undefined ? { minified: 0, gzip: 0 } : await bundleSize(base);
  return { minified: whole.minified - without.minified, gzip: whole.gzip - without.gzip };
}

/**
 * The size of the code that an import loads at once. Code that it loads later, with `import()`, is a part of its own.
 *
 * @param {string} contents
 */
async function bundleSize(contents) {
  const { build } = await import("esbuild");
  const { outputFiles, metafile } = await build({
    stdin: { contents, resolveDir: join(root, "dist") },
    bundle: true,
    splitting: true,
    metafile: true,
    outdir: "bundle",
    minify: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "es2023",
    external: ["react", "svelte", "vue"],
  });
  const loaded = loadedAtOnce(metafile.outputs);
  // Compressed as one: the files into which code is split are those of the application's bundler.
  const code = Buffer.concat(
    outputFiles.filter(({ path }) => loaded.has(basename(path))).map(({ contents }) => contents),
  );
  return { minified: code.length, gzip: gzipSync(code, { level: 9 }).length };
}

/** @param {import("esbuild").Metafile["outputs"]} outputs @returns {Set<string>} names of files */
function loadedAtOnce(outputs) {
  const loaded = new Set();
  /** @param {string} path */
  const visit = (path) => {
    if (loaded.has(basename(path))) return;
    loaded.add(basename(path));
    for (const { path: next, kind } of outputs[path]?.imports ?? []) if (kind === "import-statement") visit(next);
  };
  const entry = Object.keys(outputs).find((path) => outputs[path]?.entryPoint === "<stdin>");
  if (entry !== undefined) visit(entry);
  return loaded;
}
