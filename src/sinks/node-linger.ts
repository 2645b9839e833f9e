// The time between the end of a stream and that of its connection: a client that does not read must not delay it forever.
import { unrefTimeout } from "../base/clock.ts";
import { connectionProgress, type NodeResponse } from "./node-response.ts";
import type { Sink } from "./sink.ts";

/** How long a client that does not read may delay the end of its stream. Then its connection is destroyed. */
const closeLingerMs = 10_000;

/**
 * Destroys the connection of a client that has stopped reading, once a stream has ended. A client that still reads may
 * take its time. Without it, one such client would keep a server from closing, and `end()` from resolving, until the
 * system gives up.
 */
export class Linger {
  readonly #sink: Sink;
  readonly #response: NodeResponse;
  #mark = -1;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(sink: Sink, response: NodeResponse) {
    this.#sink = sink;
    this.#response = response;
    this.#wait();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The rest of the stream is one chunk by now. On HTTP/2 only the connection shows that the client still reads. */
  get #progress(): number {
    return this.#sink.progressMark + connectionProgress(this.#response);
  }

  #wait(): void {
    this.#mark = this.#progress;
    this.#timer = unrefTimeout(() => {
      if (this.#progress === this.#mark) this.#response.destroy();
      else this.#wait();
    }, closeLingerMs);
  }
}
