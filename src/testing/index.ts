// sourcecast/testing: suites for authors of logs and adapters, and checks for contracts.

export {
  type AdapterHandler,
  type AdapterRoute,
  type AdapterServer,
  type AdapterSuiteOptions,
  testAdapter,
} from "./adapter-suite.ts";
export { type ContractSamples, checkContract } from "./check-contract.ts";
export type { LogStorage, LogSuiteOptions } from "./log/options.ts";
export { testLog } from "./log-suite.ts";
export { PlainLog } from "./plain-log.ts";
export { PlainStore, type StoreListener } from "./plain-store.ts";
