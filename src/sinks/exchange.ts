// A request and the way to respond to it (RFC 9110, section 3.9: an exchange).
import type { RequestLike } from "../http/request.ts";
import type { Sink } from "./sink.ts";

/** A request, and a sink that writes to its response. Adapters open streams on exchanges. */
export interface Exchange {
  /** The request. */
  readonly request: RequestLike;
  /** The sink that writes to its response. */
  readonly sink: Sink;
}
