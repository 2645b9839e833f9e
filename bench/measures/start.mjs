import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { interleave } from "../lib/interleave.mjs";

const imports = {
  "node:http alone": [],
  sourcecast: ["sourcecast"],
  "sourcecast and sourcecast/node": ["sourcecast", "sourcecast/node"],
  "sourcecast/sqlite with node:sqlite": ["sourcecast", "sourcecast/node", "sourcecast/sqlite", "node:sqlite"],
  "better-sse": ["better-sse"],
  "Hono with streamSSE()": ["hono", "hono/streaming", "@hono/node-server"],
  h3: ["h3"],
  "Fastify with @fastify/sse": ["fastify", "@fastify/sse"],
};

/** The cost of a server's imports, in a new process each time. */
export const start = {
  name: "start",
  title: "Starting",
  control: "node:http alone",
  figures: {
    imported: { title: "the imports", unit: "ms" },
    process: { title: "from the start of the process to its end", unit: "ms of processor time" },
  },
  plots: [{ file: "start", kind: "bars", figure: "imported", group: "" }],
  /** @param {import("../lib/measure.mjs").RunOptions} options */
  async run({ quick, progress }) {
    const contenders = /** @type {(keyof typeof imports)[]} */ (Object.keys(imports));
    const measure = async (/** @type {string} */ name) =>
      measureImports(imports[/** @type {keyof typeof imports} */ (name)]);
    return { "": await interleave(contenders, quick ? 2 : 15, measure, progress) };
  },
};

/** @param {readonly string[]} modules @returns {Record<string, number>} */
function measureImports(modules) {
  const code = `
    const start = performance.now();
    for (const name of ${JSON.stringify(["node:http", ...modules])}) await import(name);
    const imported = performance.now() - start;
    const { user, system } = process.cpuUsage();
    console.log(JSON.stringify({ imported, process: (user + system) / 1_000 }));
  `;
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const args = ["--no-warnings", "--input-type=module", "--eval", code];
  return JSON.parse(execFileSync(process.execPath, args, { cwd, encoding: "utf8" }));
}
