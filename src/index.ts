// sourcecast: the server core. It runs on Node, Bun, Deno and Workers, with any framework that passes a web `Request` and
// returns a `Response`.
export { type ErrorCode, LogError, SourcecastError, SourcecastTypeError } from "./base/errors.ts";
export type { Duration, Size } from "./base/units.ts";
export type { Compress, CompressOptions } from "./compression/options.ts";
export type { CorsDetails, CorsOptions } from "./http/cors.ts";
export type { FormRequest } from "./http/form.ts";
export type { HeaderOverrides } from "./http/headers.ts";
export type { RequestLike } from "./http/request.ts";
export { Channel, type EventOf } from "./hub/channel.ts";
export type { ChannelPipeOptions } from "./hub/channel-pipe.ts";
export { type ChannelsOfOptions, channelsOf, type RequestedChannels } from "./hub/channels-of.ts";
export { createHub, Hub } from "./hub/hub.ts";
export type { Outage } from "./hub/log-health.ts";
export type {
  Authorize,
  ChannelOptions,
  ControlEvent,
  FailureStage,
  FilteredEvent,
  HubOptions,
  Limits,
  Loss,
  OnError,
  PublishOptions,
  Snapshot,
  SnapshotFunction,
  StreamControl,
  SubscribeOptions,
  TransactionOptions,
  WithinTransaction,
} from "./hub/options.ts";
export type { PublishedEvent } from "./hub/publish.ts";
export type { ReadOptions } from "./hub/reader/channel-iterator.ts";
export type { ReadEvent, ReadEventOf, ReadLoss } from "./hub/reader/read-event.ts";
export type { HubStats } from "./hub/stats.ts";
export type {
  Appended,
  ChannelSelection,
  Head,
  Log,
  LogEntry,
  NewEntry,
  Page,
  Retention,
  Tail,
  TailBatch,
} from "./log/log.ts";
export { type EventOptions, type Render, ServerSentEvent, type ServerSentEventInit } from "./source/event.ts";
export {
  type CloseReason,
  type ListenerOptions,
  SourceCloseEvent,
  SourceErrorEvent,
  type SourceEventMap,
  type SourceListener,
  SourceOverflowEvent,
  type WireEventListener,
} from "./source/lifecycle.ts";
export type {
  ContractFor,
  ContractOptions,
  Overflow,
  OverflowDecision,
  SetOptions,
  SourceArgument,
  SourceOptions,
} from "./source/options.ts";
export type { Pipeable, PipeOptions, PipeResult } from "./source/pipe.ts";
export { EventSourceSet } from "./source/set.ts";
export { EventSource } from "./source/source.ts";
export type { ClientEventsOf, EventContract, EventsOf, OutputEventsOf } from "./wire/contract.ts";
export type { Gap, GapReason, Reset, ResetReason } from "./wire/control.ts";
export { type Position, parseCursor } from "./wire/cursor.ts";
export type { EventFields, Replacer } from "./wire/encode.ts";
export type { DispatchArguments, EventData, EventMap, EventType } from "./wire/event-types.ts";
export type { Retry } from "./wire/retry.ts";
