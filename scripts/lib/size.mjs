// What an application pays for importing the core: everything reachable from it, minified, compressed.
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./paths.mjs";

/** @returns {Promise<{ minified: number, gzip: number }>} bytes */
export async function coreSize() {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    entryPoints: [join(root, "dist/index.js")],
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
