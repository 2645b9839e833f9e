import type { RequestLike } from "./request.ts";
import type { Sink } from "./sinks/sink.ts";

/** A request with a sink of its own: how an adapter opens a source on something other than a web `Response`. */
export class Connection {
  readonly request: RequestLike;
  readonly sink: Sink;

  constructor(request: RequestLike, sink: Sink) {
    this.request = request;
    this.sink = sink;
  }
}
