export type { EventContract, EventsOf, OutputEventsOf } from "./contract.ts";
export type { Gap } from "./control.ts";
export type { CorsOptions } from "./cors.ts";
export { type EventFields, encodeComment, encodeEvent, type Replacer } from "./encode.ts";
export { type ErrorCode, errorCodes, SourcecastError, SourcecastTypeError } from "./errors.ts";
export { type EventOptions, type Render, ServerSentEvent, type ServerSentEventInit } from "./event.ts";
export type { HeaderOverrides } from "./headers.ts";
export { Channel, type ChannelPipeOptions, type EventOf } from "./hub/channel.ts";
export { createHub, Hub } from "./hub/hub.ts";
export type { MeterLike, ObservableResultLike } from "./hub/meter.ts";
export type {
  Authorize,
  FailureStage,
  FilteredEvent,
  HubOptions,
  Limits,
  Loss,
  OnError,
  PublishOptions,
  Snapshot,
  SubscribeOptions,
  TakeSnapshot,
} from "./hub/options.ts";
export type { Member, PresenceOptions } from "./hub/presence/options.ts";
export type { PublishedEvent } from "./hub/publish.ts";
export type { HubStats } from "./hub/stats.ts";
export {
  type CloseReason,
  SourceCloseEvent,
  SourceErrorEvent,
  type SourceEventMap,
  SourceOverflowEvent,
} from "./life.ts";
export type {
  Appended,
  Head,
  Log,
  LogEntry,
  NewEntry,
  Page,
  Retention,
  Selection,
  Tail,
  TailBatch,
} from "./logs/log.ts";
export type { Retry } from "./opening.ts";
export type { ContractOptions, Overflow, OverflowDecision, SourceOptions } from "./options.ts";
export type { Pipeable, PipeOptions, PipeResult } from "./pipe.ts";
export { acceptsEventStream, type RequestLike } from "./request.ts";
export { EventSourceSet } from "./set.ts";
export { EventSource } from "./source.ts";
export type { DataOf, Events, TypeOf } from "./typing.ts";
export type { Duration, Size } from "./units.ts";
