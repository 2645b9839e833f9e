import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

test("the log on SQLite keeps its contract on Bun, with bun:sqlite", async () => {
  const fixture = join(import.meta.dirname, "fixtures/sqlite-bun.ts");
  const bun = spawn("bun", [fixture], { stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
  const [output, errors, [code]] = await Promise.all([text(bun.stdout), text(bun.stderr), once(bun, "close")]);
  expect({ code, errors }).toEqual({ code: 0, errors: "" });
  const { tests, failed } = JSON.parse(output);
  expect(failed).toEqual([]);
  expect(tests).toBeGreaterThan(40);
});
