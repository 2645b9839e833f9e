// sourcecast/testing: checks for contracts, and the contract of a log as a suite of tests.
export { type ContractSamples, checkContract } from "./check-contract.ts";
export type { LogStorage } from "./log/scenario.ts";
export { type LogSuiteOptions, testLog } from "./log-suite.ts";
