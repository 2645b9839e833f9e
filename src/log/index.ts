// `sourcecast/log`: the contract of a log, and the kit for log authors.
export { LogError } from "../base/errors.ts";
export { formatCursor, parseCursor } from "../wire/cursor.ts";
export { type AppendCall, type AppendOutcome, AppendQueue, type AppendQueueOptions } from "./append-queue.ts";
export { type ClearedRange, clearEntry, clearType, emptySlot, isEmptySlot } from "./cleared.ts";
export { type CompleteLog, completeLog, verify } from "./complete.ts";
export { type AppendState, closedError, conflict, conflictOf } from "./errors.ts";
export { followTail, type TailPage, type TailPosition, type TailStep } from "./follow-tail.ts";
export { IdempotencyWindow } from "./idempotency-window.ts";
export { makeEpoch, makeWitness } from "./identity.ts";
export { type AskLocate, LocateQueue } from "./locate-queue.ts";
export type {
  Appended,
  ChannelSelection,
  ClearingLog,
  Floor,
  Head,
  LastLog,
  LocateAnswer,
  Located,
  LocateQuestion,
  LocatingLog,
  Log,
  LogCapability,
  LogEntry,
  NewEntry,
  Page,
  Position,
  ReadOptions,
  Retention,
  Tail,
  TailBatch,
  TransactionLog,
  ValueLog,
  ValueOptions,
  ValuePage,
  WitnessLog,
} from "./log.ts";
export { type RetentionDefaults, type RetentionLimits, retentionLimits, weightOf } from "./retention.ts";
export { type ChannelMatcher, compileSelection, endOfPrefix, hasPrefix, selects } from "./selection.ts";
export {
  type ReadUnselected,
  type SelectedEntries,
  SharedPages,
  selectEntries,
  type UnselectedPage,
} from "./shared-pages.ts";
export { TailFanout, type TailFanoutOptions, type TailSource } from "./tail-fanout.ts";
export { WitnessHistory } from "./witness-history.ts";
