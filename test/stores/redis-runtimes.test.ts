/** The Redis log in processes of its own: with Bun's client, and in a process that has nothing else to do. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runQuietly } from "../support/run.ts";
import { bun } from "../support/runtimes.ts";
import { startRedis } from "../support/stores/redis-server.ts";
import type { StoreServer } from "../support/stores/store-server.ts";

let redis: StoreServer;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis[Symbol.asyncDispose]());

const fixture = (name: string): string => join(import.meta.dirname, "fixtures", name);

test("the log keeps its contract with Bun's own client", async () => {
  const output = await runQuietly(bun, [fixture("redis-bun.ts"), `${redis.port}`], { timeout: 55_000 });
  const { tests, failed } = JSON.parse(output.trim().split("\n").at(-1) ?? "");
  expect(failed).toEqual([]);
  expect(tests).toBeGreaterThan(50);
});

test.each(["redis", "redis-6", "ioredis", "ioredis-6"])(
  "a tail does not keep the process alive, with %s",
  async (library) => {
    const args = [fixture("redis-tail-only.ts"), `${redis.port}`, library];
    expect(await runQuietly(process.execPath, args, { timeout: 20_000 })).toBe("");
  },
);
