import { testAppend } from "./log/append.ts";
import { testKeys } from "./log/keys.ts";
import { testLife } from "./log/life.ts";
import { testLoss } from "./log/loss.ts";
import { testRead } from "./log/read.ts";
import { testRetention } from "./log/retention.ts";
import { createScenario, type LogSuiteSetting, type TestScenario } from "./log/scenario.ts";
import { testTail } from "./log/tail.ts";

/** The options of {@link testLog}. */
export interface LogSuiteOptions extends LogSuiteSetting {
  /** What was appended is still there when the storage is opened again. @default false */
  persistent?: boolean;
  /** Several logs may be open on one storage at a time, as in several processes. @default false */
  shared?: boolean;
  /** `trimmed` is that of the selection and not of all channels. @default true */
  trimmedBySelection?: boolean;
  /** The newest entries can be lost while logs are open, as in a failover: the storage has `lose`. @default false */
  lossy?: boolean;
}

/**
 * The contract of a log as tests: whatever passes them can carry a hub. Knows no test framework.
 *
 * @example
 * ```ts
 * import { test } from "node:test";
 * import { memoryLog } from "sourcecast/memory";
 * import { testLog } from "sourcecast/testing";
 *
 * testLog({ test, storage: (retention) => ({ open: () => memoryLog(retention) }) });
 * ```
 */
export function testLog(suite: LogSuiteOptions): void {
  const scenario: TestScenario = createScenario(suite);
  testAppend(scenario);
  testRead(scenario);
  testKeys(scenario);
  testRetention(scenario, suite.trimmedBySelection ?? true);
  testTail(scenario);
  if (suite.lossy === true) testLoss(scenario);
  testLife(scenario, { persistent: suite.persistent ?? false, shared: suite.shared ?? false });
}
