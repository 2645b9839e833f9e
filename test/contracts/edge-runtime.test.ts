/** Runtimes without Node's own functions: the edge runtime of Next.js has them, and they throw. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runQuietly } from "../support/run.ts";

const fixture = fileURLToPath(new URL("fixtures/edge-runtime.mjs", import.meta.url));

test.each(["missing", "throwing"])("a source, a set and a hub work where setImmediate is %s", async (how) => {
  const output = await runQuietly(process.execPath, ["--no-warnings", fixture, how], { timeout: 20_000 });
  expect(JSON.parse(output)).toEqual({ fromSource: ["1", "2"], fromHub: ["3"], closed: "disconnected" });
});
