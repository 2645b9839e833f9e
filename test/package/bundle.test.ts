// Properties that bundling (scripts/lib/bundle.mjs) must preserve: identities, names, source maps, imports without effects.
import { execFileSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, inject, test } from "vitest";
import { entries, root } from "../support/package.ts";

const dist = join(root, "dist");
const files = globSync("**/*.js", { cwd: dist }).sort();

const load = (code: string): Promise<Record<string, unknown>> => import(pathToFileURL(join(root, code)).href);

test("the core is imported as few files", () => {
  const loaded = new Set<string>();
  const visit = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const [, target = ""] of readFileSync(file, "utf8").matchAll(/^(?:import|export) .*? from "(\.[^"]+)";$/gm)) {
      visit(join(dirname(file), target));
    }
  };
  visit(join(dist, "index.js"));
  process.stdout.write(`sourcecast is imported as ${loaded.size} files\n`);
  expect(loaded.size).toBeGreaterThan(1);
  expect(loaded.size).toBeLessThanOrEqual(5);
});

// Within a circle, a chunk may use a constant of another one before that has run.
test("no chunks import each other", () => {
  const importsOf = (file: string) =>
    [...readFileSync(join(dist, file), "utf8").matchAll(/^(?:import|export) .*? from "(\.[^"]+)";$/gm)].map(
      ([, target = ""]) => join(dirname(file), target),
    );
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    expect(path).not.toContain(file);
    if (done.has(file)) return;
    for (const target of importsOf(file)) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(done.size).toBe(files.length);
});

test("a class that several subpaths export is one class, under its own name", async () => {
  const seen = new Map<string, unknown>();
  for (const { code } of entries) {
    // The standard has one name for the browser's end; the server's end goes by the same.
    if (code.endsWith("eventsource.js")) continue;
    for (const [name, value] of Object.entries(await load(code))) {
      if (typeof value !== "function") continue;
      expect(value.name).toBe(name);
      if (!/^class\b/.test(Function.prototype.toString.call(value))) continue;
      expect(seen.get(name) ?? value, name).toBe(value);
      seen.set(name, value);
    }
  }
  expect(seen.size).toBeGreaterThan(10);
});

// A bundler warns its user of each such import, since package.json says that no file has side effects.
test.each(files)("%s imports nothing for its effects alone", (file) => {
  expect(readFileSync(join(dist, file), "utf8")).not.toMatch(/^import "/m);
});

// Next.js and other bundlers of server components read it from the package, and only if nothing but comments is before it.
test("the hooks of React are client code, in the tarball as well", () => {
  const packed = execFileSync("tar", ["-xzOf", inject("tarball"), "package/dist/bindings/react.js"], {
    encoding: "utf8",
  });
  expect(packed).toMatch(/^"use client";\n/);
});

// A file that only exports from others has no map.
const mapped = files.filter((file) => readFileSync(join(dist, file), "utf8").includes("sourceMappingURL="));

test.each(mapped)("the source map of %s leads to files of src, which the package contains", (file) => {
  const map = join(dist, `${file}.map`);
  const { sources }: { sources: string[] } = JSON.parse(readFileSync(map, "utf8"));
  const paths = sources.map((source) => fileURLToPath(new URL(source, pathToFileURL(map))));
  expect(paths.filter((path) => !path.startsWith(join(root, "src")) || !existsSync(path))).toEqual([]);
});

test("an error's stack names functions and, with source maps, lines of src", async () => {
  const code = `
    import { EventSource } from ${JSON.stringify(pathToFileURL(join(dist, "index.js")).href)};
    const source = new EventSource(new Request("http://localhost/"));
    try { source.dispatch("a\\nb"); } catch (error) { console.log(error.stack); }
    await source.close();
  `;
  const stackWith = (...flags: string[]) =>
    execFileSync(process.execPath, [...flags, "--input-type=module", "-e", code], { encoding: "utf8" });
  expect(stackWith()).toMatch(/at EventSource\.dispatch .*\/dist\/chunks\/\w+\.js:\d+/);
  expect(stackWith("--enable-source-maps")).toMatch(/at EventSource\.dispatch .*\/src\/source\/source\.ts:\d+/);
});
