import type { RequestLike } from "../http/request.ts";
import type { ResolvedOptions } from "../source/options.ts";
import type { Sink } from "./sink.ts";

/** A request with a sink of its own: how an adapter opens a source on something other than a web `Response`. */
export class Exchange {
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
