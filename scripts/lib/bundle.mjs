// The JavaScript of dist: one file for each subpath, and chunks for the code that subpaths share, so that a class has one
// identity in all of them. Node spends half a millisecond on each imported file, however small; the core has 120.
//
// Rolldown rather than esbuild: it keeps the names of classes and chunks readable, and imports no chunk for its
// effects, of which users of esbuild would be warned. Both leave applications the same bytes after tree-shaking.
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { root } from "./paths.mjs";

/** @returns {Promise<boolean>} false when files could not be bundled, for a reason that was printed */
export async function bundle() {
  const { rolldown } = await import("rolldown");
  try {
    const files = await rolldown({
      input: entries(),
      cwd: root,
      platform: "neutral",
      // The frameworks that bindings import are the application's own.
      external: [/^node:/, /^(react|svelte|vue)($|\/)/],
      treeshake: { moduleSideEffects: false },
      // Required by the option codeSplitting below. Entries still export what they declare and nothing more, which a test checks.
      preserveEntrySignatures: "allow-extension",
      tsconfig: false,
      // A field without a value is declared for the types: the constructor assigns it.
      transform: { typescript: { removeClassFieldsWithoutInitializer: true } },
      // Rolldown keeps "use client", and warns that it may not; test/package/bundle.test.ts checks that it did.
      checks: { moduleLevelDirective: false },
    });
    await files.write({
      dir: join(root, "dist"),
      format: "esm",
      entryFileNames: "[name].js",
      chunkFileNames: "chunks/[name].js",
      // A class that extends one of the platform may have an effect, for all that bundlers know. In a module of its own, it is
      // dropped with the module.
      codeSplitting: {
        includeDependenciesRecursively: false,
        groups: [{ name: "read-event-stream", test: /[\\/]client[\\/]read\.ts$/ }, ...layers()],
      },
      minifyInternalExports: false,
      // Docstrings are in the declarations and in src. Annotations tell bundlers what they may drop.
      comments: { annotation: true, jsdoc: false, legal: true },
      sourcemap: true,
      // The package contains src, which the maps point to.
      sourcemapExcludeSources: true,
    });
    await files.close();
    return true;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return false;
  }
}

/**
 * Groups for the code of the core, which would otherwise be one chunk for each set of subpaths that shares it: 17 files, which
 * take Node 22 ms of processor time to import in place of 12. They follow the layers of the code, so no two of them import each
 * other. A statement that bundlers cannot drop is loaded with its whole group, by clients too: so the group "protocol" has no
 * more of these than the classes of errors, which every subpath needs. A test compares the sizes.
 */
function layers() {
  const core = reachable(join(root, "src/index.ts"));
  /** @param {string} name @param {string} files in src, as a pattern */
  const group = (name, files) => ({
    name,
    test: (/** @type {string} */ id) =>
      core.has(id) && new RegExp(`^(${files})`).test(relative(join(root, "src"), id).replaceAll("\\", "/")),
  });
  return [
    group(
      "protocol",
      "base/(runtime|async-context|clock|errors|options|units|warn|deadline).ts|wire/(encode|binary|emptied|cursor|contract-check|control|preamble).ts",
    ),
    group("source", "(source|compression|sinks|http)/|base/(pace|shutdown).ts|wire/(frame|round-trip|retry).ts"),
    group("log", "log/"),
    group("hub", "(hub|logs)/"),
  ];
}

/** @param {string} file @param {Set<string>} found @returns {Set<string>} the module and all that it imports */
function reachable(file, found = new Set()) {
  if (found.has(file)) return found;
  found.add(file);
  const imports = /^(?:import|export)(?! type)\s[^;]*?from "(\.[^"]+)";/gm;
  for (const [, path = ""] of readFileSync(file, "utf8").matchAll(imports)) reachable(join(dirname(file), path), found);
  return found;
}

/** @returns {Record<string, string>} the file in src of each subpath and command, by its path in dist without extension */
function entries() {
  const { bin, exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const subpaths = Object.values(exports).flatMap((target) => (typeof target === "string" ? [] : [target.default]));
  const codes = [...subpaths, ...Object.values(bin)];
  return Object.fromEntries(
    codes.map((code) => {
      const name = code.replace("./dist/", "").replace(/\.js$/, "");
      return [name, `src/${name}.ts`];
    }),
  );
}
