/** The PostgreSQL log under Bun, with Bun's own `SQL`. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runQuietly } from "../support/run.ts";
import { bun } from "../support/runtimes.ts";
import { startPostgres } from "../support/stores/postgres-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

let server: StoreServer;

beforeAll(async () => {
  server = await startPostgres();
});

afterAll(() => server[Symbol.asyncDispose]());

test("the log keeps its contract with Bun's own client", { timeout: 90_000 }, async () => {
  const fixture = join(import.meta.dirname, "fixtures", "postgres-bun.ts");
  const output = await runQuietly(bun, [fixture, `${server.port}`], { timeout: 85_000 });
  const { tests, failed } = JSON.parse(output.trim().split("\n").at(-1) ?? "");
  expect(failed).toEqual([]);
  expect(tests).toBeGreaterThan(50);
});
