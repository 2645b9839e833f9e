import type { ResolvedOptions } from "./options.ts";
import type { RequestLike } from "./request.ts";
import type { Sink } from "./sinks/sink.ts";

/** A request with a sink of its own: how an adapter opens a source on something other than a web `Response`. */
export class Connection {
  readonly request: RequestLike;
  readonly sink: Sink;
  /** Options that were checked before, by a hub for all of its connections. */
  readonly options: ResolvedOptions | undefined;

  constructor(request: RequestLike, sink: Sink, options?: ResolvedOptions) {
    this.request = request;
    this.sink = sink;
    this.options = options;
  }
}
