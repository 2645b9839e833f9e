// sourcecast/wire: event streams as text and bytes, for both ends and without a platform.
export { type EventFields, encodeComment, encodeEvent } from "./encode.ts";
export {
  type EventStreamHandlers,
  EventStreamParser,
  type EventStreamParserOptions,
  type ParsedEvent,
} from "./parse.ts";
