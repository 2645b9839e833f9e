// The errors of a stream's client.
import { quote, SourcecastError } from "../base/errors.ts";

/** The kind of a failure that ended a connection, or kept it from opening. */
export type StreamFailure =
  /** The request failed, or the connection was lost. */
  | "network"
  /** The server answered with a status that is not 200. */
  | "status"
  /** The response is not an event stream. */
  | "content-type"
  /** The connection took too long to open, or was idle for too long. */
  | "timeout"
  /** An event was larger than `maxEventSize`. */
  | "event-size"
  /** A shared connection follows several channels, and the server does not say which of them an event belongs to. */
  | "label"
  /** A subscription follows more channels than the server allows on one connection. */
  | "channels"
  /** `headers()`, `body()` or `url()` threw, or gave a value that cannot be sent. */
  | "request";

/** A connection that a client could not open, or lost. */
export class StreamError extends SourcecastError {
  /** The kind of the failure. */
  readonly failure: StreamFailure;
  /** The status of a response that was not a stream. */
  readonly status: number | undefined;
  /** The content type of a response that was not a stream. */
  readonly contentType: string | undefined;
  /** The first characters of a response that was not a stream. */
  readonly body: string | undefined;

  /** @internal Created by a client. */
  constructor(failure: StreamFailure, message: string, details: StreamErrorDetails = {}) {
    super("ERR_SSE_STREAM", message, { cause: details.cause });
    this.name = "StreamError";
    this.failure = failure;
    this.status = details.status;
    this.contentType = details.contentType;
    this.body = details.body;
  }
}

/** The error of a subscription of which the server allows none of the remaining channels. */
export function forbiddenError(channels: readonly string[]): StreamError {
  const names = channels.map((name) => quote(name)).join(", ");
  return new StreamError("status", `The server does not allow this client to read ${names}`, { status: 403 });
}

/** The error of a subscription with more channels than a connection may have. */
export function tooManyChannels(limit: unknown): StreamError {
  return new StreamError(
    "channels",
    `The server allows ${limit} channels on one connection, and this subscription follows more; ` +
      "divide it into several, follow a prefix, or raise limits.channels of the hub",
  );
}

/** The parts of a response that was not a stream, or the cause. */
interface StreamErrorDetails {
  readonly status?: number | undefined;
  readonly contentType?: string | undefined;
  readonly body?: string | undefined;
  readonly cause?: unknown;
}
