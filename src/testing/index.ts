export type { LogStorage } from "./log/scenario.ts";
export { type LogSuiteOptions, testLog } from "./log-suite.ts";
