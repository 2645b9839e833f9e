export { type LogStorage, type LogSuite, testLog } from "./log-suite.ts";
