// sourcecast/ai: streaming LLM output that survives the loss of its readers and of its producer.
export type { BeginOptions, OnBusy, RunsHub, RunsOptions, StartOptions, StopOptions } from "./options.ts";
export type { FinishedRun, RunContext, RunProducer } from "./producer.ts";
export type { RunEvent, RunProtocol } from "./protocol.ts";
export type { ProtocolName } from "./protocols.ts";
export { type ResumableStreams, type ResumableStreamsOptions, resumableStreams } from "./resumable-streams.ts";
export { createRuns, type RunState, type Runs } from "./runs.ts";
export {
  type DurableRun,
  type StreamDurability,
  type StreamDurabilityOptions,
  streamDurability,
} from "./stream-durability.ts";
