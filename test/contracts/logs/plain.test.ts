import { test } from "vitest";
import { retentionLimits } from "../../../src/logs/log.ts";
import { testLog } from "../../../src/testing/index.ts";
import { PlainLog } from "../../support/plain-log.ts";

testLog({
  test,
  storage: (retention) => ({
    open: () => new PlainLog(retentionLimits(retention, { maxEvents: 10_000, maxBytes: "64mb" })),
  }),
});
