// The contract of a log as tests, for any test framework.
import { aBoolean, aCount, aFunction, checkOptions, type OptionChecks } from "../base/options.ts";
import { testAppend } from "./log/append.ts";
import { testClear } from "./log/clear.ts";
import { testConditions } from "./log/conditions.ts";
import { testFailure } from "./log/failure.ts";
import { testKeys } from "./log/keys.ts";
import { testLife } from "./log/life.ts";
import { testLocate } from "./log/locate.ts";
import { testLoss } from "./log/loss.ts";
import type { LogSuiteOptions } from "./log/options.ts";
import { testPrefixes } from "./log/prefixes.ts";
import { testRead } from "./log/read.ts";
import { testRestore } from "./log/restore.ts";
import { testRetention } from "./log/retention.ts";
import { createScenario, type TestScenario } from "./log/scenario.ts";
import { testSharing } from "./log/sharing.ts";
import { testTail } from "./log/tail.ts";

/**
 * Defines the tests of the contract: a log that passes them can carry a hub. It tests the capabilities that the log
 * declares, and the methods that the hub composes in place of missing ones.
 *
 * @throws {SourcecastTypeError} `ERR_SSE_OPTION` for an invalid option.
 * @example
 * ```ts
 * import { test } from "node:test";
 * import { memoryLog } from "sourcecast/memory";
 * import { testLog } from "sourcecast/testing";
 *
 * testLog({ test, storage: (retention) => ({ open: () => memoryLog(retention) }) });
 * ```
 */
export function testLog(options: LogSuiteOptions): void {
  checkOptions(options ?? {}, suiteChecks, "testLog()");
  // Required, while the checks treat an option that is absent as valid.
  for (const name of ["test", "storage"] as const) suiteChecks[name](options?.[name], name);
  const scenario: TestScenario = createScenario(options);
  const { trimmedBySelection = true, persistent = false, shared = false } = options;
  // The simplest promises come first: when one of those fails, later failures mostly follow from it.
  testAppend(scenario);
  testConditions(scenario);
  testRead(scenario);
  testPrefixes(scenario);
  testKeys(scenario);
  testRetention(scenario, trimmedBySelection);
  testLocate(scenario);
  testTail(scenario);
  testClear(scenario);
  testLife(scenario, { persistent, shared });
  if (shared) testSharing(scenario);
  if (options.lossy === true) testLoss(scenario);
  if (options.restorable === true) testRestore(scenario);
  if (options.failing === true) testFailure(scenario);
}

const suiteChecks: OptionChecks<LogSuiteOptions> = {
  test: aFunction,
  storage: aFunction,
  deadline: aCount(1),
  persistent: aBoolean,
  shared: aBoolean,
  trimmedBySelection: aBoolean,
  lossy: aBoolean,
  restorable: aBoolean,
  failing: aBoolean,
};
