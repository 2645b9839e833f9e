export type { LogStorage } from "./log/scenario.ts";
export { type LogSuiteOptions as LogSuite, testLog } from "./log-suite.ts";
