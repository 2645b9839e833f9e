// A client that leaves before it has a stream.
import type { Sink } from "../../sinks/sink.ts";

/**
 * Whether a client leaves before its stream is open. Until then there is no stream that would observe the sink, and a client
 * that gave up during a slow `authorize` would hold its slot until the answer.
 */
export class Departure {
  /** Resolves when the client has left. */
  readonly gone: Promise<null>;
  forget: () => void = () => {};

  constructor(sink: Sink) {
    this.gone = new Promise((resolve) => {
      this.forget = sink.onceGone(() => resolve(null));
    });
  }
}
