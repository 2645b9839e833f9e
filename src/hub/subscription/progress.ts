// Whether the client of a lagging subscription takes bytes.
import { now } from "../../base/clock.ts";
import type { Sink } from "../../sinks/sink.ts";

/**
 * A slow reader takes bytes from time to time. One that takes none for long has stalled. The sweep reads the number of
 * bytes once in a while. Recording it with each write would make every delivery slower.
 */
export class Progress {
  readonly #sink: Pick<Sink, "progressMark">;
  /** When the client last took bytes, as far as that was noticed. */
  last: number = now();
  #mark = -1;

  constructor(sink: Pick<Sink, "progressMark">) {
    this.#sink = sink;
  }

  /** The client has taken bytes, or does not need to. */
  note(): void {
    this.last = now();
  }

  /** Whether the client has taken bytes since this was last called. Counts as progress at `time`. */
  wasMade(time: number): boolean {
    const mark = this.#sink.progressMark;
    if (mark === this.#mark) return false;
    this.#mark = mark;
    this.last = time;
    return true;
  }
}
