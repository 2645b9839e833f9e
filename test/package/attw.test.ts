import { spawnSync } from "node:child_process";
import { expect, inject, test } from "vitest";
import { root } from "../support/package.ts";

test("TypeScript resolves every subpath of the packed tarball (attw, ESM only)", () => {
  const attw = `${root}/node_modules/@arethetypeswrong/cli/dist/index.js`;
  const options = ["--profile", "esm-only", "--no-color", "--no-emoji", "--format", "ascii"];
  const { status, stdout, stderr } = spawnSync(process.execPath, [attw, inject("tarball"), ...options], {
    encoding: "utf8",
  });
  expect(status, stdout + stderr).toBe(0);
});
