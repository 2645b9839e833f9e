// A request and the way to respond to it (RFC 9110, section 3.9: an exchange).
import type { RequestLike } from "../http/request.ts";
import type { Sink } from "./sink.ts";

/** What an adapter opens a stream on: the request, and a sink that writes to its response. */
export interface Exchange {
  readonly request: RequestLike;
  readonly sink: Sink;
}
