// sourcecast/wire: event streams as text and bytes, for both ends of a stream and on any platform.
export { type ErrorCode, errorCodes } from "../base/errors.ts";
export type {
  Checkpoint,
  ControlEvents,
  ControlType,
  End,
  Gap,
  GapReason,
  Later,
  LaterReason,
  Reset,
  ResetReason,
} from "./control.ts";
export { deserialize } from "./decode.ts";
export { type EventFields, encodeComment, encodeEvent, encodeRetry, type Replacer, serialize } from "./encode.ts";
export {
  type EventStreamHandlers,
  EventStreamParser,
  type EventStreamParserOptions,
  type ParsedEvent,
} from "./parse.ts";
export { readKeepAlive } from "./preamble.ts";
