/** The applications' own tests, as docs/recipes/testing.md shows them: they pass under the runners that it names. */
import { expect, test } from "vitest";
import { installExample } from "../support/example.ts";
import { runQuietly } from "../support/run.ts";

test.each(["test:vitest", "test:jest"])("%s of examples/testing passes", async (name) => {
  const { folder, scripts } = await installExample("testing");
  const [program = "", ...args] = scripts[name]?.split(" ") ?? [];
  const command = program === "node" ? args : [`node_modules/${program}/${program}.mjs`, ...args];
  // Not those of the run that this test belongs to.
  const env = {
    VITEST: undefined,
    VITEST_MODE: undefined,
    VITEST_POOL_ID: undefined,
    VITEST_WORKER_ID: undefined,
    NODE_ENV: undefined,
  };
  expect(await runQuietly(process.execPath, command, { cwd: folder, env })).toMatch(/Tests: +\d+ passed|\d+ passed/);
});

test("Jest without its flag says what the page says", async () => {
  const { folder } = await installExample("testing");
  const args = ["node_modules/jest/bin/jest.js", "--rootDir", "jest"];
  await expect(runQuietly(process.execPath, args, { cwd: folder })).rejects.toThrow(
    "Must use import to load ES Module",
  );
});
