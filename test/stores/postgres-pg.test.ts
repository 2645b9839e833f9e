import { afterAll, beforeAll, test } from "vitest";
import { testLog } from "../../src/testing/index.ts";
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
