import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bundleTests } from "../support/unit-tests.ts";
import { withProgram } from "./unit.ts";

test("the shim of Vitest for other runtimes reports failures, and runs everything else", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sourcecast-harness-"));
  try {
    await bundleTests(join(import.meta.dirname, "fixtures/broken"), folder);
    const run = withProgram(process.execPath);
    const report = (await run(folder, { "broken.test.mjs": ["passes > with hooks > first"] }))["broken.test.mjs"];
    expect(report?.excepted).toEqual(["passes > with hooks > first"]);
    expect(report?.passed).toEqual(["fails > for one of two (1)", "passes > with a clock that is not real"]);
    const reasons = Object.fromEntries(report?.failed.map(({ name, error }) => [name, error]) ?? []);
    expect(reasons).toEqual({
      "fails > by an expectation": expect.stringContaining("to deeply equal"),
      "fails > by a promise": expect.stringContaining("instead of rejecting"),
      "fails > by an unhandled rejection": expect.stringContaining("Unhandled rejection: Error: lost"),
      "fails > by what it prints": expect.stringContaining("Unexpected output: console.log: noise"),
      "fails > by what it does not print": expect.stringContaining("there was none"),
      "fails > by its time": expect.stringContaining("Not within 50 ms"),
      "fails > for one of two (2)": expect.stringContaining("expected 2 to be 1"),
      "fails > by a hook > after it": expect.stringContaining("hook"),
      "passes > with hooks > second": expect.stringContaining("to deeply equal"),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
