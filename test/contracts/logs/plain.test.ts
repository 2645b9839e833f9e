import { test } from "vitest";
import { testLog } from "../../../src/testing/index.ts";
import { plainStorage } from "../../support/plain-log.ts";

testLog({
  test,
  persistent: true,
  shared: true,
  lossy: true,
  restorable: true,
  failing: true,
  storage: (retention) => plainStorage(retention),
});
