export type { LogStorage } from "./log/scenario.ts";
export { type LogSuite, testLog } from "./log-suite.ts";
