import { test } from "vitest";
import { testLog } from "../../../src/testing/index.ts";
import { pgliteStorage } from "../../support/pglite.ts";

testLog({
  test,
  deadline: 25_000,
  persistent: true,
  shared: true,
  lossy: true,
  restorable: true,
  storage: pgliteStorage,
});
