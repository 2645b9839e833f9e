// sourcecast/testing: the contract of a log as a suite of tests.
export type { LogStorage } from "./log/scenario.ts";
export { type LogSuiteOptions, testLog } from "./log-suite.ts";
