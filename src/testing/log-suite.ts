import type { Log, Retention } from "../logs/log.ts";
import { testAppend } from "./log/append.ts";
import { testKeys } from "./log/keys.ts";
import { testLife } from "./log/life.ts";
import { testRead } from "./log/read.ts";
import { testRetention } from "./log/retention.ts";
import { type Scenario, scenarioOf } from "./log/scenario.ts";
import { testTail } from "./log/tail.ts";

/** The options of {@link testLog}. */
export interface LogSuite {
  /** The `test` of Vitest, of `node:test`, of Bun, or of any other framework of that form. */
  test: (name: string, run: () => Promise<void>) => unknown;
  /** Makes a new, empty storage for logs that keep what `retention` says. */
  storage: (retention: Retention) => LogStorage | Promise<LogStorage>;
  /** What was appended is still there when the storage is opened again. @default false */
  persistent?: boolean;
  /** Several logs may be open on one storage at a time, as in several processes. @default false */
  shared?: boolean;
  /** `trimmed` is that of the selection and not of all channels. @default true */
  trimmedBySelection?: boolean;
  /** How long one test may take, in milliseconds. @default 10_000 */
  deadline?: number;
}

/** What logs write to in one test. */
export interface LogStorage {
  open(): Log | Promise<Log>;
  /** Called when every log on it is closed. */
  remove?(): unknown;
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
export function testLog(suite: LogSuite): void {
  const scenario: Scenario = scenarioOf(suite);
  testAppend(scenario);
  testRead(scenario);
  testKeys(scenario);
  testRetention(scenario, suite.trimmedBySelection ?? true);
  testTail(scenario);
  testLife(scenario, { persistent: suite.persistent ?? false, shared: suite.shared ?? false });
}
