// sourcecast/testing: clients for tests of applications, suites for authors of logs and adapters, checks for contracts.

export type { AdapterRoute } from "./adapter-context.ts";
export {
  type AdapterHandler,
  type AdapterServer,
  type AdapterSuiteOptions,
  testAdapter,
} from "./adapter-suite.ts";
export { type ContractSamples, checkContract } from "./check-contract.ts";
export { type CollectOptions, collect } from "./collect.ts";
export type { LogStorage, LogSuiteOptions } from "./log/options.ts";
export { testLog } from "./log-suite.ts";
export { type Answerer, MemoryClient, type MemoryClientOptions } from "./memory-client.ts";
export { PlainLog } from "./plain-log.ts";
export { PlainStore, type StoreListener } from "./plain-store.ts";
