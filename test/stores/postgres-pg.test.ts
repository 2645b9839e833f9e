import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testLog } from "../../src/testing/index.ts";
import { runQuietly } from "../support/run.ts";
import { type PostgresBench, postgresBench } from "../support/stores/postgres-bench.ts";

let bench: PostgresBench;

beforeAll(async () => {
  bench = await postgresBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

testLog({
  test,
  deadline: 30_000,
  persistent: true,
  shared: true,
  lossy: true,
  restorable: true,
  failing: true,
  storage: (retention) => bench.storage(retention),
});

test.each(["first", "next"])(
  "the %s process on a schema lives until its calls are answered, and no longer",
  async () => {
    const script = join(import.meta.dirname, "fixtures/postgres-script.ts");
    const output = await runQuietly(process.execPath, [script, `${bench.server.port}`], { timeout: 20_000 });
    expect(output).toMatch(/^appended \d+\n$/);
  },
);
