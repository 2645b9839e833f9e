import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { eventually } from "../../support/deadline.ts";
import { entries, root } from "../../support/package.ts";
import { temporaryFile } from "../../support/temporary.ts";
import { bundleWorker, startWorker } from "../../support/workers.ts";

/** Subpaths that need Node's response or its assertions. All others must run without any module of Node. */
const onNode = ["./node", "./express", "./fastify", "./testing"];
/** Bindings, which import their own framework. */
const bindings = /^\.\/(react|svelte|vue)$/;

const neutral = entries.filter(({ subpath }) => !onNode.includes(subpath) && !bindings.test(subpath));

test("a subpath that needs Node is one that is known to", async () => {
  const all = await Promise.all(
    entries.map(async ({ subpath, code }) => ({ subpath, imports: await importsOf(code) })),
  );
  const needNode = all.filter(({ imports }) => imports.some((path) => path.startsWith("node:")));
  expect(needNode.map(({ subpath }) => subpath).sort()).toEqual([...onNode].sort());
});

// There timers, random values and all that waits are refused, and one that is set nevertheless ends the worker.
test("every other one is imported in the global scope of a worker, without Node's modules", async () => {
  const { path: folder, remove } = temporaryFile("worker");
  const imports = neutral.map(({ code }, i) => `import * as m${i} from ${JSON.stringify(join(root, code))};`);
  const names = neutral.map((_, i) => `Object.keys(m${i}).length`);
  const text = `${imports.join("\n")}\nexport default { fetch: () => Response.json([${names}]) };\n`;
  writeFileSync(join(dirname(folder), "entry.mjs"), text);
  await bundleWorker(join(dirname(folder), "entry.mjs"), folder);
  // The last day on which modules of Node had to be asked for.
  const server = await startWorker(folder, { compatibilityDate: "2026-08-03" });
  try {
    const counts = (await (await fetch(server.origin)).json()) as number[];
    expect(counts).toHaveLength(neutral.length);
    expect(counts.every((count) => count > 0)).toBe(true);
    expect(server.newOutput()).toBe("");
  } finally {
    await server.stop("SIGKILL");
    remove();
  }
});

test("a hub in the global scope is refused by the runtime, which says why", async () => {
  const { path: folder, remove } = temporaryFile("worker");
  const entry = join(dirname(folder), "entry.mjs");
  const core = JSON.stringify(join(root, "dist/index.js"));
  writeFileSync(entry, `import { createHub } from ${core};\nexport const hub = createHub();\n`);
  await bundleWorker(entry, folder);
  // It may listen for a moment.
  const said = await startWorker(folder).then(async (server) => {
    await eventually(
      "it has ended",
      async () => server.running,
      (running) => !running,
    );
    return server.newOutput();
  }, String);
  expect(said).toContain("Disallowed operation called within global scope");
  remove();
});

/** The imports of an entry, and of everything that it imports, from outside the package. */
async function importsOf(code: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [join(root, code)],
    bundle: true,
    write: false,
    outdir: "none",
    metafile: true,
    format: "esm",
    packages: "external",
    external: ["node:*"],
  });
  return Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
}
