/** The applications' own tests, as docs/recipes/testing.md shows them: they pass under the runners that it names. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
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

describe("Jest", () => {
  const packages = {
    "@swc/core": "1.16.22",
    "@swc/jest": "0.2.39",
    "jest-fixed-jsdom": "0.0.11",
    "node-mocks-http": "1.18.1",
  };
  const files = [join(import.meta.dirname, "fixtures/jest")];
  const transform = { transform: { ".": ["@swc/jest", { module: { type: "commonjs" } }] } };
  const esm = ["--experimental-vm-modules"];

  test.each<[string, string, object, string[]]>([
    ["a test in CommonJS, with the flag", "stream.cjs", {}, esm],
    ["a test that is compiled to CommonJS, with this package", "stream.cjs", transform, []],
    ["node-mocks-http", "mocks.cjs", transform, []],
    ["the globals of jsdom", "bytes.mjs", {}, esm],
  ])("%s", async (name, file, config, flags) => {
    const { folder } = await installExample("testing", { packages, files, copy: "jest" });
    const root = join(folder, name.replaceAll(/\W+/g, "-"));
    mkdirSync(root, { recursive: true });
    const own = { rootDir: folder, testMatch: [`<rootDir>/jest/${file}`], testPathIgnorePatterns: [], ...config };
    const path = join(root, "jest.config.json");
    writeFileSync(path, JSON.stringify({ ...own, transformIgnorePatterns: ["/node_modules/(?!sourcecast/)"] }));
    const args = [...flags, "node_modules/jest/bin/jest.js", "--config", path];
    expect(await runQuietly(process.execPath, args, { cwd: folder })).toMatch(/Tests: +\d+ passed, \d+ total/);
  });
});
