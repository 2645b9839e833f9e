// The sizes of bundles: everything reachable from an import, minified and compressed.
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./paths.mjs";

/** Measured: all of the core, the part of it that an application without a hub uses, and what a client's parser adds. */
export const parts = {
  core: 'export * from "./index.js";',
  parser: 'export { EventStreamParser } from "./wire/index.js";',
  sources: 'export { EventSource, EventSourceSet, ServerSentEvent } from "./index.js";',
};

/** Bytes with gzip that a part may never exceed, however the budget is written. @type {Record<string, number>} */
export const ceilings = { parser: 1_400 };

/** @param {keyof typeof parts} part @returns {Promise<{ minified: number, gzip: number }>} bytes */
export async function sizeOf(part) {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    stdin: { contents: parts[part], resolveDir: join(root, "dist") },
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "es2023",
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  return { minified: code.length, gzip: gzipSync(code, { level: 9 }).length };
}
