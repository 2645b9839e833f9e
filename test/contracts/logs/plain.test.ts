import { test } from "vitest";
import { type RetentionLimits, retentionLimits } from "../../../src/logs/log.ts";
import { testLog } from "../../../src/testing/index.ts";
import { PlainLog } from "../../support/plain-log.ts";

testLog({
  test,
  lossy: true,
  storage: (retention) => plainStorage(retentionLimits(retention, { maxEvents: 10_000, maxBytes: "64mb" })),
});

function plainStorage(limits: RetentionLimits) {
  const logs: PlainLog[] = [];
  return {
    open() {
      const log = new PlainLog(limits);
      logs.push(log);
      return log;
    },
    lose(count: number) {
      for (const log of logs) log.lose(count);
    },
  };
}
