// sourcecast/client: browsers, workers, Node, Bun, Deno.
export { StreamError, type StreamFailure } from "./errors.ts";
export type {
  ContractEvent,
  EventDataOf,
  EventOfType,
  EventTypeOf,
  StreamClosed,
  StreamEvent,
  StreamLoss,
  StreamStatus,
  TextEvent,
} from "./events.ts";
export type { IterationOptions } from "./iterators.ts";
export type { SubscribeOptions, WorkerLike } from "./options.ts";
export { type EventStreamBody, EventStreamDecoder, readEventStream } from "./read.ts";
export type { BodyLike, CredentialsMode, HeadersLike, PerAttempt } from "./request.ts";
export { Subscription, subscribe } from "./subscribe.ts";
