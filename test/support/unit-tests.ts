/** The unit tests as modules that need neither Vitest nor a file system, for runtimes other than Node. */
import { globSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import type { names, run } from "./mini-vitest/index.ts";
import { root } from "./package.ts";

/** The exports of each of the modules. */
export interface UnitTests {
  names: typeof names;
  run: typeof run;
}

/** Writes one module for each file of test/unit: see {@link bundleTests}. */
export function bundleUnitTests(folder: string): Promise<string[]> {
  return bundleTests(join(root, "test/unit"), folder);
}

/**
 * Writes one module for each file of tests below `source` to `folder`, with all that it imports in it but the modules of Node, and
 * returns their names in it: `hub/limits.test.mjs`. Each has the sources of the package for itself, as a process of its own would.
 */
export async function bundleTests(source: string, folder: string): Promise<string[]> {
  const files = globSync("**/*.test.ts", { cwd: source }).sort();
  await Promise.all(files.map((file) => bundle(join(source, file), join(folder, moduleOf(file)))));
  return files.map(moduleOf);
}

function moduleOf(file: string): string {
  return file.replace(/\.ts$/, ".mjs");
}

async function bundle(file: string, outfile: string): Promise<void> {
  await build({
    stdin: {
      contents: `import ${JSON.stringify(file)}; export { names, run } from "vitest";`,
      resolveDir: root,
    },
    outfile,
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2023",
    external: ["node:*"],
    alias: { vitest: join(root, "test/support/mini-vitest/index.ts") },
    plugins: [whereItWas, nodeModules],
    // Of the package: that nothing is done at import does not hold for its tests.
    ignoreAnnotations: true,
    logLevel: "warning",
  });
}

/** A module that asks where it is gets the answer of the source, not of the bundle. */
const whereItWas: Plugin = {
  name: "where it was",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]test[\\/].*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href)),
      loader: "ts",
    }));
  },
};

/** Modules of Node under the one name that all runtimes know, as modules of the standard: `require` is Node's alone. */
const nodeModules: Plugin = {
  name: "modules of Node",
  setup({ onResolve, onLoad }) {
    const filter = new RegExp(`^(${builtinModules.join("|")})$`);
    onResolve({ filter }, ({ path }) => ({ path, namespace: "node" }));
    onLoad({ filter, namespace: "node" }, ({ path }) => ({
      // The fake clock continues without this one, which it would change where it is there, and it cannot be changed.
      contents: path.startsWith("timers") ? `throw new Error("Not here")` : `export * from "node:${path}";`,
    }));
  },
};
