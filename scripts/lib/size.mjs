// What an application pays for what it imports: everything reachable from it, minified, compressed.
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./paths.mjs";

/** What is measured: all of the core, and the part of it that an application without a hub uses. */
export const parts = {
  core: 'export * from "./index.js";',
  sources: 'export { EventSource, EventSourceSet, ServerSentEvent } from "./index.js";',
};

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
