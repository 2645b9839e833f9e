import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { manifest, root } from "../../support/package.ts";
import { startWorker } from "../../support/workers.ts";
import { exceptions } from "../exceptions.ts";
import { type Reports, type RunModules, unitSuite } from "../unit.ts";

unitSuite("Workers", runInObject, exceptions.Workers);

/** Runs them one after the other: the fake clock of one is that of all. */
async function runInObject(...[folder, except]: Parameters<RunModules>): Promise<Reports> {
  const files = readdirSync(folder, { recursive: true }) as string[];
  const modules = files.filter((name) => name.endsWith(".test.mjs"));
  await Promise.all(modules.map((name) => wrap(join(folder, name))));
  copyFileSync(join(import.meta.dirname, "fixtures/unit.mjs"), join(folder, "main.js"));
  const server = await startWorker(folder, { objects: "UnitTests", modules });
  try {
    const reports: Reports = {};
    for (const name of modules) {
      const body = JSON.stringify(except[name] ?? []);
      const response = await fetch(`${server.origin}/${name}`, { method: "POST", body });
      if (!response.ok) throw new Error(`${name} did not run: ${await response.text()} ${server.newOutput()}`);
      reports[name] = (await response.json()) as Reports[string];
    }
    return reports;
  } finally {
    await server.stop("SIGKILL");
  }
}

/** Makes a module one that exports a function which does what the module did: a test may do more than a worker at import. */
async function wrap(file: string): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "es2023",
    legalComments: "none",
    plugins: [nodeModules],
  });
  const code = outputFiles[0]?.text ?? "";
  const body = code.replace(/\nexport (\{[^}]*\});\s*$/, "\nreturn $1;");
  writeFileSync(file, `export default async () => {\n${body}\n};\n`);
}

/** Modules of Node by a call in place of an import, and a file system that has our package.json. */
const nodeModules: Plugin = {
  name: "modules of Node",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "node" }));
    onLoad({ filter: /./, namespace: "node" }, ({ path }) => ({
      contents: path === "node:fs" ? fileSystem : `module.exports = process.getBuiltinModule("${path}")`,
    }));
  },
};

const fileSystem = `
  const fs = process.getBuiltinModule("node:fs");
  const files = ${JSON.stringify({ [`${root}/package.json`]: JSON.stringify(manifest) })};
  const readFileSync = (path, ...options) => files[path] ?? fs.readFileSync(path, ...options);
  module.exports = { ...fs, readFileSync };
`;
